import { expect } from 'vitest'
import type { OneAtATime } from '../../services/handler/deps.ts'
import { DAY_MS, instantOf } from '../../src/contract/fields/time.ts'
import { analyticApi } from '../../src/contract/services.ts'
import { createOneAtATime } from '../../src/main/endpoint/one-at-a-time.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { restateTest } from '../harness/fixtures.ts'
import { clear } from '../harness/servers/database.ts'

/** The real one, with how much work it has run. */
function counted(): OneAtATime & { works: number } {
  const oneAtATime = createOneAtATime()
  const counting = Object.assign(
    <T>(work: () => Promise<T>) => {
      counting.works++
      return oneAtATime(work)
    },
    { works: 0 },
  )
  return counting
}

const recordingWide = { interaction: counted(), search: counted(), analytics_event: counted() }
const countingWide = counted()
const test = restateTest.extend('services', { scope: 'file' }, { deps: { recordingWide, countingWide } })
test.beforeEach(async ({ db }) => {
  await clear(db)
  for (const work of [...Object.values(recordingWide), countingWide]) work.works = 0
})

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
