import { expect, test } from 'vitest'
import type { Caller } from '../../src/gateway/access/caller.ts'
import { createBudgets } from '../../src/gateway/access/budgets.ts'
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

test('an address with a publishable key may send ten times as many events as requests in a minute', async () => {
  let nowMs = 0
  const rate = createEventRate(
    LIMITS,
    createBudgets(() => nowMs),
  )
  const take = (sender: ReturnType<typeof senderOf>, items: readonly unknown[]) => rate.take(sender, items)
  await take(senderOf(), views(600))
  await expect(take(senderOf(), views(1))).rejects.toThrow('at most 600 events a minute')
  await take(senderOf({}, '10.0.0.2'), views(600))
  await take(senderOf({ keyId: 'other' }), views(600))
  await take(senderOf({ keyId: 'fast', requestsPerMinute: 600 }), views(600))
  await take(senderOf({ keyId: 'fast', requestsPerMinute: 600 }), views(5_400))
  nowMs = 60_000
  await take(senderOf(), views(1))
})

test('the first request of a minute may have more, and secret keys have no such rate', async () => {
  const rate = createEventRate(
    LIMITS,
    createBudgets(() => 0),
  )
  await rate.take(senderOf(), views(1_000))
  await expect(rate.take(senderOf(), views(1))).rejects.toThrow('at most 600')
  for (let n = 0; n < 3; n++) await rate.take(senderOf({ isPublishable: false }), views(10_000))
  await rate.take({ apiKey: null, ip: '127.0.0.1' }, views(10_000))
})

test('a search counts for each product that it shows', async () => {
  const rate = createEventRate(
    LIMITS,
    createBudgets(() => 0),
  )
  await rate.take(senderOf(), [{ product_ids: Array(599).fill('p') }, { product_ids: 'x' }, 7, null, {}])
  await expect(rate.take(senderOf(), [{ product_ids: [] }])).rejects.toThrow('at most 600')
})
