import { expect, test } from 'vitest'
import type { Caller } from '../../src/gateway/access/caller.ts'
import { createEventRate } from '../../src/gateway/access/event-rate.ts'

const LIMITS = { secretPerMinute: 60_000, publishablePerMinute: 60 }

function senderOf(changes: Partial<Caller> = {}, ip = '10.0.0.1') {
  const key = {
    keyId: 'page',
    isPublishable: true,
    name: 'page',
    scopes: [],
    origins: [],
    sellerId: null,
    requestsPerMinute: null,
  }
  return { apiKey: { ...key, ...changes }, ip }
}

const views = (count: number) => Array.from({ length: count }, () => ({ ref_id: 'p' }))

test('an address with a publishable key may send ten times as many events as requests in a minute', () => {
  let nowMs = 0
  const rate = createEventRate(LIMITS, () => nowMs)
  const take = (sender: ReturnType<typeof senderOf>, items: readonly unknown[]) => () => rate.take(sender, items)
  expect(take(senderOf(), views(600))).not.toThrow()
  expect(take(senderOf(), views(1))).toThrow('at most 600 events a minute')
  expect(take(senderOf({}, '10.0.0.2'), views(600))).not.toThrow()
  expect(take(senderOf({ keyId: 'other' }), views(600))).not.toThrow()
  expect(take(senderOf({ keyId: 'fast', requestsPerMinute: 600 }), views(600))).not.toThrow()
  expect(take(senderOf({ keyId: 'fast', requestsPerMinute: 600 }), views(5_400))).not.toThrow()
  nowMs = 60_000
  expect(take(senderOf(), views(1))).not.toThrow()
})

test('the first request of a minute may have more, and secret keys have no such rate', () => {
  const rate = createEventRate(LIMITS, () => 0)
  expect(() => rate.take(senderOf(), views(1_000))).not.toThrow()
  expect(() => rate.take(senderOf(), views(1))).toThrow('at most 600')
  for (let n = 0; n < 3; n++) expect(() => rate.take(senderOf({ isPublishable: false }), views(10_000))).not.toThrow()
  expect(() => rate.take({ apiKey: null, ip: '127.0.0.1' }, views(10_000))).not.toThrow()
})

test('a search counts for each product that it shows', () => {
  const rate = createEventRate(LIMITS, () => 0)
  rate.take(senderOf(), [{ product_ids: Array(599).fill('p') }, { product_ids: 'x' }, 7, null, {}])
  expect(() => rate.take(senderOf(), [{ product_ids: [] }])).toThrow('at most 600')
})
