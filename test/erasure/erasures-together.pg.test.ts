import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../src/store/database/connection.ts'
import { eraseNextPart } from '../../src/store/erasure/next-part.ts'
import { findErasure } from '../../src/store/erasure/run-list.ts'
import { beginErasure, erasureAt, requestErasure } from '../../src/store/erasure/run-machine.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erasureDeps, exported, newTombstones, rejection, rowsWith } from '../harness/items/erased.ts'
import { interaction, record, recordNewSearches, search } from '../harness/items/events.ts'
import { newCall, payment } from '../harness/items/payments.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const PERSON = 'account:ada-lovelace'
const past = Date.now() - 60_000
const driftOf = async (db: Database) => (await verify(db)).drift

async function populate(db: Database): Promise<void> {
  const events = Array.from({ length: 60 }, (_each, n) =>
    interaction({
      accountId: n % 3 === 0 ? null : 'ada-lovelace',
      sessionId: n % 3 === 1 ? null : `tab-of-ada-${n % 2}`,
      refId: `p${n % 7}`,
      occurredAtMs: past - n * 1_000,
    }),
  )
  const batch = await record(db, events, [rejection(60, { account_id: 'ada-lovelace', ref_id: 7 })])
  await recordNewSearches(
    db,
    [0, 1].map((n) => search({ accountId: null, sessionId: `tab-of-ada-${n}`, occurredAtMs: past })),
  )
  const paid = payment({ accountId: 'ada-lovelace', sessionId: 'tab-of-ada-1', occurredAtMs: past })
  const { batch: ofPayment } = await recordPayments(db, newCall(), [paid], [])
  for (const one of [batch, ofPayment!]) {
    await countBatch(db, one)
    await feedBatch(db, one)
  }
}

const merge = (db: Database, n: number) =>
  mergeSession(db, { session_id: `tab-of-ada-${n}`, account_id: 'ada-lovelace', asked_at_ms: Date.now() }, newTombstones())

async function begin(db: Database, shopper_id: string): Promise<string> {
  const { id } = await requestErasure(db, randomUUID(), { shopper_id, actor: 'ada' })
  await beginErasure(db, id)
  return id
}

async function runToEnd(db: Database, id: string): Promise<void> {
  while (await eraseNextPart(db, id, erasureDeps()));
}

async function expectErased(db: Database): Promise<void> {
  expect(await rowsWith(db, ['ada-lovelace', 'tab-of-ada'])).toEqual([])
  expect(await driftOf(db)).toEqual([])
  const { rows } = await sql`
    select count(*)::int as purchases from interaction i join payment_callback p on i.account_id = p.account_id
    where i.event_type = 'purchase'`.execute(db)
  // The ledger and the log name the same pseudonym.
  expect(rows).toEqual([{ purchases: 1 }])
}

test('a merged session and its account that are erased at once are one run', async ({ db }) => {
  await populate(db)
  await merge(db, 0)
  await merge(db, 1)
  const shoppers = [PERSON, 'session:tab-of-ada-0', 'session:tab-of-ada-1', PERSON]
  const ids = await Promise.all(shoppers.map((shopper) => begin(db, shopper)))
  expect(new Set(ids).size).toBe(1)
  // Two processes work on it.
  await Promise.all([runToEnd(db, ids[0]!), runToEnd(db, ids[0]!)])
  expect((await findErasure(db, ids[0]!))!.certificate!.tables).toMatchObject({ interaction: 61, search: 2, payment_callback: 1 })
  await expectErased(db)
})

test('a session that is merged while it and its account are erased by runs of their own is erased', async ({ db }) => {
  await populate(db)
  await merge(db, 0)
  const runs = [await begin(db, 'session:tab-of-ada-1'), await begin(db, PERSON)]
  expect(new Set(runs).size).toBe(2)
  await merge(db, 1)
  await Promise.all(runs.map((id) => runToEnd(db, id)))
  expect((await Promise.all(runs.map((id) => findErasure(db, id)))).map((run) => run!.status)).toEqual(['completed', 'completed'])
  await expectErased(db)
})

test('runs of one person leave one outcome in every order of their parts', async ({ db }) => {
  await populate(db)
  await merge(db, 0)
  const runs = [await begin(db, 'session:tab-of-ada-1'), await begin(db, PERSON)]
  await merge(db, 1)
  for (let isOpen = true; isOpen;) {
    const open = await Promise.all(runs.map((id) => eraseNextPart(db, id, erasureDeps())))
    isOpen = open.includes(true)
    expect(await driftOf(db)).toEqual([])
  }
  await expectErased(db)
})

test('runs of one person give it one pseudonym, whichever is first with a part', async ({ db }) => {
  await populate(db)
  await merge(db, 0)
  const [ofSession, ofAccount] = [await begin(db, 'session:tab-of-ada-1'), await begin(db, PERSON)]
  await merge(db, 1)
  // One erases the payments, and the other one the interactions that followed.
  for (const id of [ofSession, ofAccount]) await eraseNextPart(db, id, erasureDeps())
  await eraseNextPart(db, ofSession, erasureDeps())
  await runToEnd(db, ofAccount)
  await runToEnd(db, ofSession)
  await expectErased(db)
})

test('an export has less with every part of the run, and no row of a pseudonym, until it is empty', async ({ db }) => {
  await populate(db)
  await merge(db, 0)
  await merge(db, 1)
  const id = await begin(db, PERSON)
  let before = await exported(db, PERSON)
  expect(before.length).toBeGreaterThan(60)
  const emptied: string[] = []
  for (let isOpen = true; isOpen;) {
    const step = (await erasureAt(db, id))!.step
    isOpen = await eraseNextPart(db, id, erasureDeps())
    const lines = await exported(db, PERSON)
    expect(lines.filter(({ row }) => JSON.stringify(row).includes('erased-'))).toEqual([])
    expect(lines.length).toBeLessThanOrEqual(before.length)
    if (lines.length === 0 && before.length > 0) emptied.push(step)
    before = lines
  }
  expect(emptied).toHaveLength(1)
  for (const shopper of [PERSON, 'session:tab-of-ada-0', 'session:tab-of-ada-1']) expect(await exported(db, shopper)).toEqual([])
})
