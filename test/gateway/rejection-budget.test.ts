import { expect, test } from 'vitest'
import { createRejectionBudget, type RejectionSender } from '../../src/gateway/recording/rejection-budget.ts'

const LIMITS = { secretBytes: 1_000, publishableBytes: 100, addressBytes: 30 }

function sender(keyId: string, isPublishable: boolean, ip = '10.0.0.1'): RejectionSender {
  const key = { keyId, isPublishable, name: keyId, scopes: [], origins: [], sellerId: null, requestsPerMinute: null }
  return { apiKey: key, ip }
}

test('a publishable key has its bound for each address, and one for all together', () => {
  const budget = createRejectionBudget(LIMITS, () => 0)
  const taken = Array.from({ length: 10 }, (_, n) => budget.take(sender('page', true, `10.0.0.${n}`), 30) !== undefined)
  expect(taken).toEqual([true, true, true, false, false, false, false, false, false, false])
  const other = createRejectionBudget(LIMITS, () => 0)
  expect(other.take(sender('page', true), 30)).toBeDefined()
  expect(other.take(sender('page', true), 1)).toBeUndefined()
  expect(other.take(sender('page', true, '10.0.0.2'), 30)).toBeDefined()
  expect(other.take(sender('other page', true), 30)).toBeDefined()
})

test('all addresses of an IPv6 network of 64 bits are one', () => {
  const budget = createRejectionBudget(LIMITS, () => 0)
  expect(budget.take(sender('page', true, '2001:db8::1'), 30)).toBeDefined()
  expect(budget.take(sender('page', true, '2001:db8::2'), 30)).toBeUndefined()
  expect(budget.take(sender('page', true, '2001:db8:0:1::1'), 30)).toBeDefined()
})

test('a secret key has one bound, and callers without a key have none', () => {
  const budget = createRejectionBudget(LIMITS, () => 0)
  expect(budget.take(sender('service', false, '10.0.0.1'), 600)).toBeDefined()
  expect(budget.take(sender('service', false, '10.0.0.2'), 600)).toBeUndefined()
  expect(budget.take(sender('other service', false), 600)).toBeDefined()
  expect(budget.take({ apiKey: null, ip: '127.0.0.1' }, 1e12)).toBeDefined()
})

test('what was not kept is given back, once, and concurrent requests together stay within the bound', () => {
  const budget = createRejectionBudget(LIMITS, () => 0)
  const first = budget.take(sender('page', true), 20)!
  expect(budget.take(sender('page', true), 20)).toBeUndefined()
  first(5)
  first(5)
  expect(budget.take(sender('page', true), 26)).toBeUndefined()
  expect(budget.take(sender('page', true), 25)).toBeDefined()
})

test('each hour begins with nothing used, and what is given back late changes nothing in it', () => {
  let nowMs = 0
  const budget = createRejectionBudget(LIMITS, () => nowMs)
  const late = budget.take(sender('page', true), 30)!
  nowMs = 3_599_999
  expect(budget.take(sender('page', true), 1)).toBeUndefined()
  nowMs = 3_600_000
  expect(budget.take(sender('page', true), 30)).toBeDefined()
  late(0)
  expect(budget.take(sender('page', true), 1)).toBeUndefined()
})
