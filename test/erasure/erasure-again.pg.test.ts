import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { ERASURE_STEPS, type ErasureStep } from '../../src/contract/erasure.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { eraseNextPart } from '../../src/store/erasure/next-part.ts'
import { findErasure } from '../../src/store/erasure/run-list.ts'
import { beginErasure, erasureAt, failErasure, requestErasure } from '../../src/store/erasure/run-machine.ts'
import { recordRows } from '../../src/store/log/batch.ts'
import { INTERACTIONS } from '../../src/store/log/interaction.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erase, erasureDeps, exported, newTombstones, rejection, rowsWith } from '../harness/items/erased.ts'
import { interaction, record, recordNewSearches, search } from '../harness/items/events.ts'
import { newCall, payment } from '../harness/items/payments.ts'
import { analyticsEvent } from '../harness/items/recomputed.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const ACCOUNT = 'ada-lovelace'
const PERSON = `account:${ACCOUNT}`
const IDS = [ACCOUNT, 'tab-of-ada', 'Ada Browser']
const past = Date.now() - 60_000
const driftOf = async (db: Database) => (await verify(db)).drift
const tabOf = (n: number) => `tab-of-ada-${n}.`
const times = <T>(count: number, of: (n: number) => T) => Array.from({ length: count }, (_each, n) => of(n))

async function take(db: Database, batch: Parameters<typeof countBatch>[1]): Promise<void> {
  await countBatch(db, batch)
  await feedBatch(db, batch)
}

/** A person of so many merged sessions and so many orders, each with a row in every table, and others with the same products. */
async function populate(db: Database, sessions: number, orders: number): Promise<void> {
  const [shared, late] = [
    { occurredAtMs: past, userAgent: 'Ada Browser' },
    { accountId: null, occurredAtMs: past },
  ]
  const events = [
    interaction({ ...shared, accountId: ACCOUNT, sessionId: tabOf(0), refId: 'lamp' }),
    interaction({ accountId: 'bob', refId: 'lamp', occurredAtMs: past }),
    ...times(sessions, (n) => interaction({ ...shared, accountId: null, sessionId: tabOf(n), refId: `p${n % 7}` })),
  ]
  const rejected = times(sessions, (n) => rejection(events.length + n, { session_id: tabOf(n), ref_id: 7 }))
  await take(db, await record(db, events, rejected))
  const merged = times(sessions, (n) => ({ session_id: tabOf(n), account_id: ACCOUNT, asked_at_ms: past }))
  for (const request of merged) await mergeSession(db, request, newTombstones())
  await recordNewSearches(
    db,
    times(sessions, (n) => search({ ...late, sessionId: tabOf(n) })),
  )
  const reported = times(sessions, (index) => ({ ...analyticsEvent({ entityId: tabOf(index), occurredAtMs: past }), index }))
  await recordEvents(db, newCall(), reported)
  const paid = times(orders, (n) => {
    const order = { orderId: `order-${n}-of-ada`, occurredAtMs: past }
    // The second payment of the order names no shopper, so that the order is its shopper.
    return [
      payment({ ...order, accountId: ACCOUNT, sessionId: tabOf(n), paymentRef: `pay-${n}` }),
      payment({ ...order, accountId: null, paymentRef: `rest-${n}` }),
    ]
  }).flat()
  for (let from = 0; from < paid.length; from += 100) {
    const page = paid.slice(from, from + 100).map((one, index) => ({ ...one, index }))
    await take(db, (await recordPayments(db, newCall(), page, [])).batch!)
  }
}

async function begin(db: Database, shopper_id: string): Promise<string> {
  const { id } = await requestErasure(db, randomUUID(), { shopper_id, actor: 'ada' })
  await beginErasure(db, id)
  return id
}

async function runTo(db: Database, id: string, step: ErasureStep): Promise<void> {
  while ((await erasureAt(db, id))!.step !== step) await eraseNextPart(db, id, erasureDeps())
}

async function expectErased(db: Database): Promise<void> {
  expect(await rowsWith(db, IDS)).toEqual([])
  const { rows } = await sql`select from interaction where session_id like 'order:%'`.execute(db)
  expect(rows).toEqual([])
  expect(await driftOf(db)).toEqual([])
}

for (const step of ERASURE_STEPS) {
  test(`a run that fails before its part ${step} leaves a person that the next run erases whole, by the account or a session`, async ({
    db,
  }) => {
    for (const shopper of [PERSON, `session:${tabOf(1)}`]) {
      await clear(db)
      await populate(db, 3, 2)
      const id = await begin(db, PERSON)
      await runTo(db, id, step)
      await failErasure(db, id, 'its invocation was cancelled')
      expect(await erase(db, shopper)).toMatchObject({ status: 'completed' })
      await expectErased(db)
    }
  })
}

test('a person who came back after a run that failed is erased up to the next run, whose shopper is one session', async ({
  db,
}) => {
  await populate(db, 3, 2)
  const failed = await begin(db, PERSON)
  await runTo(db, failed, 'reports')
  await failErasure(db, failed, 'its invocation was cancelled')
  const back = [
    interaction({ accountId: ACCOUNT, refId: 'desk' }),
    interaction({ index: 1, accountId: null, sessionId: tabOf(0), refId: 'desk' }),
    interaction({ index: 2, accountId: null, sessionId: tabOf(9), refId: 'desk' }),
  ].map((event) => ({ ...event, occurredAtMs: Date.now() }))
  await take(db, await recordRows(db, INTERACTIONS, newCall(), back, [], undefined, newTombstones()))
  const merge = { session_id: tabOf(9), account_id: ACCOUNT, asked_at_ms: Date.now() }
  expect(await mergeSession(db, merge, newTombstones())).toMatchObject({ account_id: ACCOUNT })
  const paid = payment({ accountId: ACCOUNT, orderId: 'order-9-of-ada', paymentRef: 'pay-9', occurredAtMs: Date.now() })
  await take(db, (await recordPayments(db, newCall(), [paid], [], undefined, newTombstones())).batch!)
  const { certificate } = await erase(db, `session:${tabOf(1)}`)
  await expectErased(db)
  const isBack = interaction({ accountId: ACCOUNT, refId: 'chair', occurredAtMs: Date.parse(certificate!.erased_at) + 1 })
  await take(db, await recordRows(db, INTERACTIONS, newCall(), [isBack], [], undefined, newTombstones()))
  expect((await exported(db, PERSON)).map(({ table }) => table)).toEqual(['shopper_product', 'shopper_recent', 'interaction'])
})

test('until its payments and merges are erased, the run of an account is the answer for each of its sessions', async ({ db }) => {
  await populate(db, 3, 2)
  const id = await begin(db, PERSON)
  const asked = async () => (await requestErasure(db, randomUUID(), { shopper_id: `session:${tabOf(1)}`, actor: 'ada' })).id
  while ((await erasureAt(db, id))!.step !== 'certificate') {
    expect(await asked()).toBe(id)
    await eraseNextPart(db, id, erasureDeps())
  }
  // Now it is a session like any other.
  const own = await asked()
  expect(own).not.toBe(id)
  await beginErasure(db, own)
  for (const run of [own, id]) while (await eraseNextPart(db, run, erasureDeps()));
  const tables = Object.values((await findErasure(db, own))!.certificate!.tables)
  expect(tables.filter((erased) => erased > 0)).toEqual([])
  expect(await findErasure(db, id)).toMatchObject({ status: 'completed', certificate: { tables: { payment_callback: 4 } } })
  await expectErased(db)
})

test('a run that the release before left at its part payments goes through every part', async ({ db }) => {
  await populate(db, 3, 2)
  const id = await begin(db, PERSON)
  await eraseNextPart(db, id, erasureDeps())
  await sql`update erasure_run set step = 'payments'`.execute(db)
  expect(await findErasure(db, id)).toMatchObject({ step: 'payments' })
  while (await eraseNextPart(db, id, erasureDeps()));
  expect(await findErasure(db, id)).toMatchObject({
    status: 'completed',
    certificate: { tables: { payment_callback: 4, search: 3 } },
  })
  await expectErased(db)
})

test('a person of five hundred ids is erased whole, with each row counted once', { timeout: 120_000 }, async ({ db }) => {
  await populate(db, 300, 200)
  const before = await exported(db, PERSON)
  const counts: Record<string, number> = {}
  for (const { table } of before) counts[table] = (counts[table] ?? 0) + 1
  expect(counts).toMatchObject({ shopper_redirect: 300, search: 300, rejected_interaction: 300, payment_callback: 400 })
  // An erasure leaves those of the payments as they are.
  expect(counts['analytics_event']).toBe(300 + 400)
  const { certificate } = await erase(db, PERSON)
  await expectErased(db)
  const { rows } = await sql<{
    count: number
  }>`select count(distinct coalesce(account_id, session_id))::int as count from interaction`.execute(db)
  // The account, its sessions and its orders, and Bob.
  expect(rows).toEqual([{ count: 1 + 300 + 200 + 1 }])
  expect(certificate!.tables).toMatchObject({ ...counts, analytics_event: 300, metric_snapshot: 0 })
  expect(await exported(db, PERSON)).toEqual([])
})
