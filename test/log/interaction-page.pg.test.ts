import fc from 'fast-check'
import { expect } from 'vitest'
import { DAY_MS, HOUR_MS, instantOf } from '../../src/contract/fields/time.ts'
import { InteractionsResponse, type InteractionsRequest, type LoggedInteraction } from '../../src/contract/interaction-log.ts'
import { encodeCursor } from '../../src/store/database/cursor.ts'
import { interactionPage } from '../../src/store/log/interaction-page.ts'
import { endOfCellBefore } from '../../src/store/popularity/cell-before.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record, recordAndCount } from '../harness/items/events.ts'

const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000
test.beforeEach(({ db }) => clear(db))

const page = async (db: Database, request: Partial<InteractionsRequest>) =>
  InteractionsResponse.parse(
    await interactionPage((work) => work(db), { limit: 50, ...request }, { nowMs: NOW_MS, endOfCellBefore }),
  )

async function all(db: Database, request: Partial<InteractionsRequest>): Promise<LoggedInteraction[]> {
  const found: LoggedInteraction[] = []
  for (let cursor: string | undefined; ;) {
    const { data, meta } = await page(db, { ...request, cursor })
    expect(data.length).toBeLessThanOrEqual(request.limit ?? 50)
    found.push(...data)
    if (meta.next_cursor === null) return found
    cursor = meta.next_cursor
  }
}

const eventArbitrary: fc.Arbitrary<NewInteraction> = fc
  .record({
    refId: fc.constantFrom('a', 'b'),
    refType: fc.constantFrom('Product' as const, 'Product' as const, 'Category' as const),
    eventType: fc.constantFrom('view', 'search_impression', 'unheard_of'),
    // Few, so that several have the same time.
    ageMs: fc.constantFrom(0, 1, HOUR_MS / 2, HOUR_MS, 3 * HOUR_MS, DAY_MS, 40 * DAY_MS, 40 * DAY_MS + 1, 400 * DAY_MS),
    accountId: fc.option(fc.constantFrom('x', 'y')),
    sessionId: fc.constantFrom('s', 't'),
  })
  .map(({ ageMs, ...rest }) => interaction({ ...rest, occurredAtMs: NOW_MS - ageMs }))

const requestArbitrary = fc
  .record({
    filter: fc.constantFrom({}, { product_id: 'a' }, { product_id: 'none' }, { account_id: 'x' }, { session_id: 's' }),
    limit: fc.integer({ min: 1, max: 5 }),
    fromAgeMs: fc.option(fc.constantFrom(DAY_MS, 40 * DAY_MS, 500 * DAY_MS)),
    toAgeMs: fc.option(fc.constantFrom(0, 1, 2 * HOUR_MS, 40 * DAY_MS)),
  })
  .map(({ filter, limit, fromAgeMs, toAgeMs }) => ({
    ...{ ...filter, limit },
    ...(fromAgeMs !== null && { from: instantOf(NOW_MS - fromAgeMs) }),
    ...(toAgeMs !== null && { to: instantOf(NOW_MS - toAgeMs) }),
  }))

/** The reference: a filter and a sort of the events themselves. */
function expected(events: readonly NewInteraction[], request: Partial<InteractionsRequest>): string[] {
  const { product_id, account_id, session_id, from, to } = request
  return events
    .filter(
      (one) =>
        (product_id === undefined || (one.refType === 'Product' && one.refId === product_id)) &&
        (account_id === undefined || one.accountId === account_id) &&
        (session_id === undefined || one.sessionId === session_id) &&
        (from === undefined || one.occurredAtMs >= Date.parse(from)) &&
        (to === undefined || one.occurredAtMs < Date.parse(to)),
    )
    .toSorted((one, other) => other.occurredAtMs - one.occurredAtMs || (one.eventId < other.eventId ? 1 : -1))
    .map(({ eventId }) => eventId)
}

test('every filter, time and page length gives the events themselves, newest first', { timeout: 120_000 }, async ({ db }) => {
  const scenario = fc.record({
    events: fc.array(eventArbitrary, { maxLength: 30 }),
    requests: fc.array(requestArbitrary, { minLength: 5, maxLength: 5 }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ events, requests }) => {
      await clear(db)
      if (events.length > 0) await recordAndCount(db, events)
      for (const request of requests) {
        const found = await all(db, request)
        expect(found.map((one) => one.event_id)).toEqual(expected(events, request))
      }
    }),
    { numRuns: 20 },
  )
})

test('an interaction is shown as it is stored', async ({ db }) => {
  const one = interaction({
    ...{ refId: 'lamp', occurredAtMs: NOW_MS, accountId: 'ada', accountNumber: 7, sessionId: 's', ipAddress: '10.0.0.1' },
    ...{ userAgent: 'Ünïcode 🛒', metadata: { quantity: 2 } },
  })
  const { batchId } = await recordAndCount(db, [one])
  const { data } = await page(db, { batch_id: batchId })
  expect(data).toEqual([
    {
      ...{ event_id: one.eventId, occurred_at: instantOf(NOW_MS), recorded_at: expect.any(String), batch_id: batchId },
      ...{ event_type: 'view', ref_type: 'Product', ref_id: 'lamp', account_id: 'ada', account_number: 7, session_id: 's' },
      ...{
        category: null,
        brand: null,
        metadata: { quantity: 2 },
        user_agent: 'Ünïcode 🛒',
        ip_address: '10.0.0.1',
        sent_at: null,
      },
    },
  ])
  expect((await page(db, { batch_id: '999' })).data).toEqual([])
})

test(
  'a page of a filter looks at 200,000 rows, says how far it came, and the next one goes on',
  { timeout: 120_000 },
  async ({ db }) => {
    const old = interaction({ accountId: 'rare', refId: 'rare', occurredAtMs: NOW_MS - 30 * HOUR_MS })
    await recordAndCount(db, [old])
    const many = (from: number) =>
      Array.from({ length: 5_000 }, (_, n) => interaction({ occurredAtMs: NOW_MS - 2 * HOUR_MS - from - n }))
    for (let batch = 0; batch < 42; batch++) await record(db, many(batch * 5_000))
    const first = await page(db, { account_id: 'rare' })
    expect(first).toMatchObject({
      data: [],
      meta: { next_cursor: expect.any(String), searched_to: instantOf(NOW_MS - 2 * HOUR_MS - 199_999) },
    })
    const second = await page(db, { account_id: 'rare', cursor: first.meta.next_cursor! })
    expect(second).toMatchObject({ data: [{ event_id: old.eventId }], meta: { next_cursor: null, searched_to: null } })
    // Hours without counted events of the product are passed over.
    const ofProduct = await page(db, { product_id: 'rare', to: instantOf(NOW_MS - HOUR_MS - 1) })
    expect(ofProduct).toMatchObject({ data: [{ event_id: old.eventId }], meta: { next_cursor: null, searched_to: null } })
  },
)

test('times that no event can have are a question like any other', async ({ db }) => {
  const one = interaction({ occurredAtMs: NOW_MS })
  await recordAndCount(db, [one])
  const ends = ['0000-01-01T00:00:00+12:00', '9999-12-31T23:59:59-12:00']
  expect((await page(db, { from: ends[0], to: ends[1] })).data).toHaveLength(1)
  for (const end of ends) expect((await page(db, { from: end, to: end, product_id: one.refId })).data).toEqual([])
  const cursor = (atMs: string, id = one.eventId) => encodeCursor('interactions', [atMs, id])
  expect((await page(db, { cursor: cursor('0') })).data).toEqual([])
  expect((await page(db, { cursor: cursor('999999999999999') })).data).toHaveLength(1)
  await expect(page(db, { cursor: cursor('0', '-'.repeat(36)) })).rejects.toThrow('is not a cursor of this list')
})

test('two filters at a time, and cursors of other lists, are refused', async ({ db }) => {
  await expect(page(db, { account_id: 'a', session_id: 's' })).rejects.toThrow('at most one of')
  await expect(page(db, { cursor: 'abc' })).rejects.toThrow('is not a cursor of this list')
})
