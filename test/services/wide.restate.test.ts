import { sql } from 'kysely'
import { expect, onTestFinished } from 'vitest'
import type { OneAtATime } from '../../services/handler/deps.ts'
import { DAY_MS, instantOf } from '../../src/contract/fields/time.ts'
import { analyticApi } from '../../src/contract/services.ts'
import { createOneAtATime } from '../../src/main/endpoint/one-at-a-time.ts'
import { until } from '../../src/main/embedded/until.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { restateTest } from '../harness/fixtures.ts'
import { clear } from '../harness/servers/database.ts'
import { query } from '../harness/servers/stack.ts'

/** The real one, with how much work came, and how much did not get its turn in time. */
function counted(): OneAtATime & { works: number; late: number } {
  const oneAtATime = createOneAtATime({ waitMsMax: 500 })
  const counting = Object.assign(
    async <T>(work: () => Promise<T>) => {
      counting.works++
      let hasBegun = false
      try {
        return await oneAtATime(() => {
          hasBegun = true
          return work()
        })
      } finally {
        if (!hasBegun) counting.late++
      }
    },
    { works: 0, late: 0 },
  )
  return counting
}

const recordingWide = { interaction: counted(), search: counted(), analytics_event: counted() }
const countingWide = counted()
const test = restateTest.extend('services', { scope: 'file' }, { deps: { recordingWide, countingWide } })
test.beforeEach(async ({ db }) => {
  await clear(db)
  for (const work of [...Object.values(recordingWide), countingWide]) Object.assign(work, { works: 0, late: 0 })
})

/** Keeps the turn of a line. @returns a function that ends it. */
function hold(line: OneAtATime): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  void line(() => promise)
  onTestFinished(() => resolve())
  return resolve
}

const daysAgo = (days: number) => instantOf(Date.now() - days * DAY_MS)
const viewOf = (days: number) => ({
  account_id: 'ada',
  event_type: 'view',
  ref_type: 'Product',
  ref_id: 'lamp',
  occurred_at: daysAgo(days),
})

test('wide batches of every kind are recorded, counted and fed one at a time, and others are not', async ({ db, stack }) => {
  const analytic = stack.ingress.client(analyticApi)
  await analytic.CreateInteraction({ interactions: [viewOf(0), viewOf(300)] })
  await analytic.CreateInteraction({ interactions: [viewOf(5_000), viewOf(5_300)] })
  await stack.settled()
  expect([...Object.values(recordingWide), countingWide].map(({ works }) => works)).toEqual([0, 0, 0, 0])

  const interactions = [viewOf(0), viewOf(2_000), viewOf(8_000)]
  const answers = await Promise.all(Array.from({ length: 5 }, () => analytic.CreateInteraction({ interactions })))
  expect(answers.map(({ accepted }) => accepted)).toEqual([3, 3, 3, 3, 3])
  const searches = [0, 1_000].map((days) => ({
    query: 'lamp',
    account_id: 'ada',
    product_ids: ['lamp'],
    occurred_at: daysAgo(days),
  }))
  expect(await analytic.RecordSearches({ searches })).toMatchObject({ accepted: 2 })
  const event = { source: 'shop', entity_id: 'e', status: 'success' as const }
  const events = [0, 1_000].map((days) => ({ ...event, external_ref: `${days}`, occurred_at: daysAgo(days) }))
  expect(await analytic.RecordEvents({ events })).toMatchObject({ accepted: 2 })
  await stack.settled()
  // An attempt that is repeated at every step works again.
  expect(recordingWide.interaction.works).toBeGreaterThanOrEqual(5)
  expect(recordingWide.search.works).toBeGreaterThanOrEqual(1)
  expect(recordingWide.analytics_event.works).toBeGreaterThanOrEqual(1)
  // A group takes waiting batches along, and their messages may come later.
  expect(countingWide.works).toBeGreaterThanOrEqual(3)
  expect((await verify(db)).drift).toEqual([])
})

test('a wide batch that does not get its turn in time is recorded by a later attempt', async ({ stack }) => {
  const release = hold(recordingWide.interaction)
  const answer = stack.ingress.client(analyticApi).CreateInteraction({ interactions: [viewOf(0), viewOf(2_000)] })
  expect(await until(async () => recordingWide.interaction.late >= 2, 20_000)).toBe(true)
  release()
  expect(await answer).toMatchObject({ accepted: 2 })
  await stack.settled()
})

test('the message of a wide batch that a group has taken along needs no turn', async ({ db, stack }) => {
  hold(countingWide)
  await stack.ingress.client(analyticApi).CreateInteraction({ interactions: [viewOf(0), viewOf(2_000)] })
  expect(await until(async () => countingWide.late >= 2, 20_000)).toBe(true)
  const { rows } = await sql<{ batchId: string }>`select batch_id as "batchId" from interaction_batch`.execute(db)
  for (const take of [countBatch, feedBatch]) expect(await take(db, rows[0]!)).toEqual({ batches: 1, events: 2 })
  const open = `select id from sys_invocation where status <> 'completed'`
  expect(await until(async () => (await query(stack, open)).length === 0, 20_000)).toBe(true)
  expect((await verify(db)).drift).toEqual([])
})
