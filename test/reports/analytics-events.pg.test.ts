import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { judgeAnalyticsEvents, type NewAnalyticsEvent } from '../../src/admission/analytics-event.ts'
import { DAY_MS, instantOf } from '../../src/contract/fields/time.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { changeSource, eventSources } from '../../src/store/reports/event-source.ts'
import { callOf } from '../../src/store/log/call.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { clear } from '../harness/servers/database.ts'
import { newCall, NOON, payment } from '../harness/items/payments.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

test.beforeEach(({ db }) => clear(db))

function event(values: Partial<NewAnalyticsEvent> = {}): NewAnalyticsEvent {
  return {
    ...{ source: 'erp', externalRef: 'job-1', entityId: 'order-1', status: 'success', processingMs: 7 },
    ...{ amount: null, currency: null, occurredAtMs: NOON, payload: undefined },
    ...values,
  }
}

const record = (db: Database, events: readonly NewAnalyticsEvent[], call = newCall()) =>
  recordEvents(
    db,
    call,
    events.map((one, index) => ({ ...one, index })),
  )

const setActive = (db: Database, slug: string, isActive: boolean) =>
  sql`update event_source set is_active = ${isActive} where slug = ${slug}`.execute(db)

async function storedEvents(db: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select slug || ' ' || external_ref || ' ' || extract(epoch from occurred_at)::bigint * 1000 as name
    from analytics_event join event_source using (source_id) order by 1`.execute(db)
  return rows.map(({ name }) => name)
}

/** The number of marks of each day, equal in all six scopes. */
async function marks(db: Database): Promise<Record<string, number>> {
  const { rows } = await sql<{ day: string; scopes: number; marks: number }>`
    select day::text, count(distinct (report_slug, bucket_window))::int as scopes, count(*)::int as marks
    from dirty_mark group by day`.execute(db)
  for (const row of rows) expect([row.scopes, row.marks % 6]).toEqual([6, 0])
  return Object.fromEntries(rows.map(({ day, marks }) => [day, marks / 6]))
}

const dayOf = ({ occurredAtMs }: NewAnalyticsEvent) => instantOf(occurredAtMs).slice(0, 10)

/** Few references, so that batches overlap; times on both sides of midnight and of a month. */
const eventArbitrary = fc
  .record({ source: fc.constantFrom('erp', 'crm'), ref: fc.nat({ max: 5 }), hours: fc.nat({ max: 4 }) })
  .map(({ source, ref, hours }) =>
    event({ source, externalRef: `job-${ref}`, occurredAtMs: NOON + (hours * 12 - 24) * 3_600_000 }),
  )

test('concurrent, repeated calls record each reference once and mark its day once per call', async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.array(eventArbitrary, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 3 })), {
        minLength: 1,
        maxLength: 4,
      }),
      async (calls) => {
        await clear(db)
        const answered = await Promise.all(
          calls.map(async ([events, attempts]) => {
            const call = newCall()
            const answers = await Promise.all(Array.from({ length: attempts }, () => record(db, events, call)))
            answers.push(await record(db, events, call))
            expect(answers.filter(({ isNew }) => isNew).length).toBe(answers[0]!.accepted > 0 ? 1 : 0)
            for (const answer of answers) expect({ ...answer, isNew: true }).toEqual({ ...answers[0]!, isNew: true })
            const { accepted, duplicateIndexes, rejected } = answers[0]!
            expect([accepted + duplicateIndexes.length, rejected]).toEqual([events.length, []])
            return events.filter((_, index) => !duplicateIndexes.includes(index))
          }),
        )
        const recorded = answered.flat()
        const keyOf = ({ source, externalRef }: NewAnalyticsEvent) => `${source} ${externalRef}`
        const given = new Set(calls.flatMap(([events]) => events.map(keyOf)))
        expect(recorded.map(keyOf).toSorted()).toEqual([...given].toSorted())
        expect(await storedEvents(db)).toEqual(recorded.map((one) => `${keyOf(one)} ${one.occurredAtMs}`).toSorted())
        const days = answered.flatMap((events) => [...new Set(events.map(dayOf))])
        expect(await marks(db)).toEqual(
          Object.fromEntries(days.map((day) => [day, days.filter((other) => other === day).length])),
        )
      },
    ),
    { numRuns: 40 },
  )
})

test('every field of an event is kept', async ({ db }) => {
  await record(db, [
    event({ amount: -9_007_199, currency: 'EUR', payload: { a: [1e308, '😀'] } }),
    event({ externalRef: 'job-2' }),
  ])
  const { rows } = await sql`
    select entity_id as entity, status, processing_ms as ms, amount::int, currency, payload, occurred_at as at
    from analytics_event order by external_ref`.execute(db)
  const common = { entity: 'order-1', status: 'success', ms: 7, at: new Date(NOON) }
  expect(rows).toEqual([
    { ...common, amount: -9_007_199, currency: 'EUR', payload: { a: [1e308, '😀'] } },
    { ...common, amount: null, currency: null, payload: null },
  ])
})

test('a call records the first of two equal references; another body makes another call', async ({ db }) => {
  const twice = [event(), event({ entityId: 'other' })]
  const [one, other] = ['a', 'b'].map((body) => callOf('inv_1', Buffer.from(body)))
  expect(await record(db, twice, one)).toMatchObject({ accepted: 1, duplicateIndexes: [1] })
  expect(await record(db, twice, one)).toMatchObject({ accepted: 1, duplicateIndexes: [1], isNew: false })
  expect(await record(db, twice, other)).toMatchObject({ accepted: 0, duplicateIndexes: [0, 1] })
  const { rows } = await sql`select entity_id from analytics_event`.execute(db)
  expect(rows).toEqual([{ entity_id: 'order-1' }])
})

test('events of an inactive source are rejected, except known ones; other events are recorded', async ({ db }) => {
  await record(db, [event()])
  await setActive(db, 'erp', false)
  const call = newCall()
  const events = [event({ externalRef: 'job-2' }), event(), event({ source: 'crm' })]
  const answer = await record(db, events, call)
  expect(answer).toEqual({
    accepted: 1,
    duplicateIndexes: [1],
    rejected: [{ index: 0, code: 'inactive_source', field: 'source', message: 'is inactive: nothing is recorded of it' }],
    isNew: true,
  })
  expect(await record(db, events, call)).toEqual({ ...answer, isNew: false })
  await setActive(db, 'erp', true)
  expect(await record(db, [event({ externalRef: 'job-2' })])).toMatchObject({ accepted: 1 })
})

test('payments of an inactive source are recorded, mark their days, and are known as events', async ({ db }) => {
  await record(db, [event({ source: 'acme-pay' })])
  await setActive(db, 'acme-pay', false)
  const sale = payment({ callbackId: 'c-1', occurredAtMs: NOON + DAY_MS })
  for (let attempt = 0; attempt < 2; attempt++) await recordPayments(db, newCall(), [sale], [])
  expect(await marks(db)).toEqual({ '2026-03-01': 1, '2026-03-02': 1 })
  expect((await storedEvents(db)).length).toBe(2)
  const again = await record(db, [event({ source: 'acme-pay', externalRef: 'c-1', occurredAtMs: NOON + DAY_MS })])
  expect(again).toMatchObject({ accepted: 0, duplicateIndexes: [0] })
})

test('every insert of an event marks its day, for every report and window', async ({ db }) => {
  await record(db, [event()])
  await sql`delete from dirty_mark`.execute(db)
  await sql`
    insert into analytics_event (occurred_at, source_id, external_ref, entity_id, status)
    select occurred_at + n * interval '1 minute', source_id, 'by hand ' || n, entity_id, status
    from analytics_event cross join generate_series(1, 3) n`.execute(db)
  expect(await marks(db)).toEqual({ '2026-03-01': 1 })
  const { rows } = await sql`select from dirty_mark`.execute(db)
  expect(rows).toHaveLength(6)
})

test('a missing month is created, but not for events before the horizon, which are rejected', async ({ db }) => {
  const months = async () => {
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from pg_inherits where inhparent = 'analytics_event'::regclass`.execute(db)
    return rows[0]!.n
  }
  const before = await months()
  await sql`update log_horizon set horizon = '2021-01-01T00:00:00Z'`.execute(db)
  const old = [Date.parse('2020-12-31T23:59:59.999Z'), Date.parse('2021-01-01T00:00:00Z')]
  const events = old.map((occurredAtMs, index) => event({ externalRef: `old-${index}`, occurredAtMs }))
  expect(await record(db, events)).toMatchObject({
    accepted: 1,
    rejected: [{ index: 0, code: 'too_old', field: 'occurred_at', message: 'is before the horizon 2021-01-01T00:00:00Z' }],
  })
  expect(await months()).toBe(before + 1)
  expect(await marks(db)).toEqual({ '2021-01-01': 1 })
})

const VALID = { source: 'erp', external_ref: 'r', entity_id: 'e', status: 'success', occurred_at: '2026-03-01T12:00:00Z' }
const withFields = (fields: object) => ({ ...VALID, ...fields })

test.each([
  ['null', null, null, 'invalid'],
  ['an unknown field', withFields({ nonsense: 1 }), 'nonsense', 'invalid'],
  ['no source', withFields({ source: undefined }), 'source', 'invalid'],
  ['a source with a blank', withFields({ source: 'a b' }), 'source', 'invalid'],
  ['an empty reference', withFields({ external_ref: '' }), 'external_ref', 'invalid'],
  ['NUL in the entity', withFields({ entity_id: 'a\0' }), 'entity_id', 'invalid'],
  ['an unknown status', withFields({ status: 'refunded' }), 'status', 'invalid'],
  ['a time that is negative', withFields({ processing_ms: -1 }), 'processing_ms', 'invalid'],
  ['an amount without a currency', withFields({ amount: 1 }), 'currency', 'invalid'],
  ['a currency without an amount', withFields({ currency: 'EUR' }), 'amount', 'invalid'],
  ['an amount with decimals', withFields({ amount: 0.5, currency: 'EUR' }), 'amount', 'invalid'],
  ['no time', withFields({ occurred_at: undefined }), 'occurred_at', 'invalid'],
  ['a payload of 5 KB', withFields({ payload: { a: 'x'.repeat(5_000) } }), 'payload', 'invalid'],
  ['half a surrogate pair in the payload', withFields({ payload: { a: ['\ud800'] } }), 'payload', 'invalid'],
  ['six minutes from now', withFields({ occurred_at: instantOf(NOON + 6 * 60_000) }), 'occurred_at', 'in_future'],
  ['1999', withFields({ occurred_at: '1999-12-31T23:59:59Z' }), 'occurred_at', 'too_old'],
])('an event with %s is rejected by its field, and the other event is recorded', (_name, item, field, code) => {
  const { rows: events, rejections } = judgeAnalyticsEvents([item, VALID], NOON)
  expect(events.map(({ index }) => index)).toEqual([1])
  expect(rejections).toMatchObject([{ index: 0, code, field, message: expect.stringMatching(/\w{3}/) as string }])
})

test('events make at most 1,000 sources by themselves; those of known and of made sources go on', async ({ db }) => {
  const many = Array.from({ length: 1_100 }, (_, n) =>
    event({ source: `system-${String(n).padStart(4, '0')}`, externalRef: 'a' }),
  )
  const before = await eventSources(db)
  const first = await record(db, many)
  expect(first.accepted).toBe(1_000 - before.length)
  expect(new Set(first.rejected.map(({ code, field, message }) => `${code} ${field} ${message}`))).toEqual(
    new Set(['invalid source is unknown, and there are 1000 sources already: make it with footfall source set']),
  )
  expect(await eventSources(db)).toHaveLength(1_000)
  expect((await record(db, many.slice(0, 2))).duplicateIndexes).toEqual([0, 1])

  const late = event({ source: 'system-1099', externalRef: 'a' })
  await changeSource(db, late.source, {}, 'test')
  expect(await record(db, [late])).toMatchObject({ accepted: 1, rejected: [] })
})
