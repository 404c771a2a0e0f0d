import { sql } from 'kysely'
import { expect } from 'vitest'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { exportPerson } from '../../src/store/erasure/export.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erase, exported, newTombstones } from '../harness/items/erased.ts'
import { interaction, record } from '../harness/items/events.ts'
import { newCall, payment } from '../harness/items/payments.ts'
import { analyticsEvent } from '../harness/items/recomputed.ts'
import { clear } from '../harness/servers/database.ts'

// Some rows are inserted for an hour ago, which may be in the month before.
test.beforeEach(async ({ db }) => {
  await clear(db)
  await makePartitions(db, [monthOf(Date.now() - HOUR_MS)], ['analytics_event'])
})

/** More than two ranges that a read scans. */
const ROWS = 45_000
const ACCOUNT = 'ada-lovelace'
const PERSON = `account:${ACCOUNT}`

test('rows anywhere in a large table are exported and erased, by one of 400 ids', async ({ db }) => {
  const { batchId } = await record(db, [interaction({ accountId: ACCOUNT })])
  await recordEvents(db, newCall(), [{ ...analyticsEvent({ entityId: 'of-nobody' }), index: 0 }])
  await sql`
    insert into shopper_redirect (session_id, account_id)
    select 'visit-of-ada-' || n, ${ACCOUNT} from generate_series(1, 399) n`.execute(db)
  // The first and the last row, those at the ends of the ranges, and pages of more than 500 rows in a row.
  const isOfAda = sql`(n in (1, 19999, 20000, 20001, 40000, 40001, ${ROWS}::int) or n between 30000 and 30999)`
  await sql`
    insert into analytics_event (occurred_at, source_id, external_ref, entity_id, status, payload)
    select date_trunc('milliseconds', now()) - interval '1 hour' + n / 7 * interval '1 millisecond', source_id, 'event ' || n, 'thing', 'success',
      jsonb_build_object('a', jsonb_build_array(n, 'bob', jsonb_build_object('by', case when ${isOfAda} then 'visit-of-ada-' || n % 399 + 1 else 'visit-of-ada-' end)))
    from generate_series(1, ${ROWS}::int) n, (select min(source_id) as source_id from event_source) s`.execute(db)
  await sql`
    insert into rejected_interaction (batch_id, index, code, field, message, item, kind)
    select ${batchId}::bigint, n, 'invalid', 'ref_id', 'is not valid',
      json_build_object('session_id', case when ${isOfAda} then 'visit-of-ada-' || n % 399 + 1 else 'visit-of-ada-400' end)::text, 'interaction'
    from generate_series(1, ${ROWS}::int) n`.execute(db)
  const tables = (await exported(db, PERSON)).map(({ table }) => table)
  const countOf = (name: string) => tables.filter((table) => table === name).length
  expect(countOf('analytics_event')).toBe(1_007)
  expect(countOf('rejected_interaction')).toBe(1_007)
  const { certificate } = await erase(db, PERSON)
  expect(certificate!.tables).toMatchObject({ analytics_event: 1_007, rejected_interaction: 1_007, shopper_redirect: 399 })
  expect(await exported(db, PERSON)).toEqual([])
})

test('a page of an export reads a part of a table, also when no row is of the person', async ({ db }) => {
  await recordEvents(db, newCall(), [{ ...analyticsEvent({ entityId: 'of-nobody' }), index: 0 }])
  const readsOf = async () => {
    let reads = 0
    for await (const line of exportPerson((work) => ((reads += 1), work(db)), PERSON)) expect(line).toBe('')
    return reads
  }
  const before = await readsOf()
  await sql`
    insert into analytics_event (occurred_at, source_id, external_ref, entity_id, status)
    select date_trunc('milliseconds', now()) - interval '1 minute' + n * interval '1 millisecond', source_id, 'event ' || n, 'thing', 'success'
    from generate_series(1, ${ROWS}::int) n, (select min(source_id) as source_id from event_source) s`.execute(db)
  // Two ranges more, each of which is one look-up and one page.
  expect(await readsOf()).toBe(before + 4)
})

test('the order of a guest who made an account is exported and erased with its payment and the event of it', async ({ db }) => {
  const past = { accountId: null, occurredAtMs: Date.now() - 60_000 }
  const paid = [
    payment({ ...past, orderId: 'X', paymentRef: 'pay-x' }),
    payment({ ...past, orderId: 'X', paymentRef: 'pay-x', status: 'refunded' }),
    payment({ ...past, orderId: 'X', paymentRef: 'pay-of-bob', accountId: 'bob' }),
    payment({ ...past, orderId: 'X', paymentRef: 'pay-of-bob', status: 'refunded' }),
    payment({ ...past, orderId: 'Y', paymentRef: 'pay-y' }),
  ].map((one, index) => ({ ...one, index }))
  await recordPayments(db, newCall(), paid, [])
  await mergeSession(db, { session_id: 'order:X', account_id: ACCOUNT, asked_at_ms: Date.now() }, newTombstones())
  const lines = await exported(db, PERSON)
  const ofTable = (name: string) => lines.filter(({ table }) => table === name).map(({ row }) => row)
  expect(ofTable('payment_callback')).toMatchObject(
    paid.slice(0, 2).map(({ callbackId }) => ({ order_id: 'X', callback_id: callbackId })),
  )
  expect(ofTable('analytics_event').map((row) => row['external_ref'])).toEqual(
    expect.arrayContaining(paid.slice(0, 2).map(({ callbackId }) => callbackId)),
  )
  expect(ofTable('analytics_event')).toHaveLength(2)
  const { certificate } = await erase(db, PERSON)
  // The refund of Bob's payment names no shopper either.
  expect(certificate!.tables).toMatchObject({ payment_callback: 3, analytics_event: 0 })
  expect([...(await exported(db, PERSON)), ...(await exported(db, 'session:order:X'))]).toEqual([])
  expect((await exported(db, 'session:order:Y')).map(({ table }) => table)).toContain('payment_callback')
  expect((await exported(db, 'account:bob')).map(({ table }) => table)).toContain('payment_callback')
})

test('rows of reports that name the person are exported', async ({ db }) => {
  await sql`
    insert into metric_snapshot (value, bucket, run_id, report_slug, bucket_window, dimension_key, metric, dimension_value)
    select n, date '2026-03-01' + n, gen_random_uuid(), report_slug, bucket_window, key, 'count', id
    from (select report_slug, bucket_window from aggregate_window order by 1, 2 limit 1) w, generate_series(1, 2) n,
      (values ('entity', ${ACCOUNT}), ('entity', 'bob'), ('source', ${ACCOUNT})) v (key, id)`.execute(db)
  expect((await exported(db, PERSON)).map(({ table, row }) => [table, row['dimension_key'], row['dimension_value']])).toEqual(
    Array.from({ length: 2 }, () => ['metric_snapshot', 'entity', ACCOUNT]),
  )
})
