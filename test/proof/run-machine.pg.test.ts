import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { VerifyResponse } from '../../src/contract/verify.ts'
import { findVerification, latestVerification, listVerifications } from '../../src/store/proof/run-list.ts'
import {
  abandonVerification,
  advanceVerification,
  beginVerification,
  cancelVerification,
  completeVerification,
  failVerification,
  openVerification,
  requestVerification,
  silentVerifications,
} from '../../src/store/proof/run-machine.ts'
import { requestDueVerification } from '../../src/store/proof/run-due.ts'
import { proveForRun } from '../../src/store/proof/run-step.ts'
import { PROOF_STEPS } from '../../src/store/proof/verification.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { describeRuns } from '../harness/reference/run-machine.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const BY = { actor: 'ada', requested_by: 'shop' }
const FOUND: VerifyResponse = {
  ...{ drift: [], drift_count: 0, cells: 7, events: 3, analytics_events: 2, horizon: '2000-01-01T00:00:00.000Z' },
}

describeRuns({
  table: 'verification_run',
  audited: 'verification',
  commands: {
    start: (db, id) => requestVerification(db, id, BY),
    begin: beginVerification,
    advance: (db, id) => advanceVerification(db, id, { step: 'log', done: 1, total: 2 }),
    complete: (db, id) => completeVerification(db, id, FOUND),
    fail: (db, id) => failVerification(db, id, 'no luck'),
    cancel: (db, id) => cancelVerification(db, id, { actor: 'bob' }),
    abandon: abandonVerification,
  },
  find: findVerification,
  silent: silentVerifications,
  make: async () => undefined,
})

test('a run stores what it found, and the last completed one is found', async ({ db }) => {
  expect(await latestVerification(db)).toBeUndefined()
  await recordAndCount(db, [interaction({ refId: 'lamp' })])
  const id = await openVerification(db, randomUUID(), BY)
  expect(await openVerification(db, randomUUID(), BY)).toBe(id)
  await beginVerification(db, id)
  await proveForRun(db, id)
  const run = await findVerification(db, id)
  expect(run).toMatchObject({ status: 'completed', progress: { done: PROOF_STEPS.length, total: PROOF_STEPS.length } })
  expect(run!.result).toMatchObject({ drift: [], drift_count: 0, events: 1 })
  expect(run!.result!.cells).toBeGreaterThan(0)
  // A later run that did not complete changes nothing.
  await failVerification(db, await openVerification(db, randomUUID(), BY), 'no luck')
  const { cells } = run!.result!
  expect(await latestVerification(db)).toEqual({
    ...{ id, finished_at: run!.finished_at, events: 1, analytics_events: 0, cells, drift_count: 0 },
  })
})

test('a run that was cancelled before or during its work stores nothing', async ({ db }) => {
  const id = await openVerification(db, randomUUID(), BY)
  await beginVerification(db, id)
  // The proof waits for the lock, and its statement is cancelled.
  await db.transaction().execute(async (tx) => {
    await sql`lock table product_hour in access exclusive mode`.execute(tx)
    const proving = proveForRun(db, id)
    await cancelVerification(db, id, { actor: 'bob' })
    await proving
  })
  await proveForRun(db, id)
  const run = await findVerification(db, id)
  expect(run).toMatchObject({ status: 'cancelled' })
  expect(run!.result).toBeUndefined()
})

test('a run keeps at most 100 cells that differ, and no id of a shopper', async ({ db }) => {
  await recordAndCount(
    db,
    Array.from({ length: 120 }, (_, n) => interaction({ refId: 'lamp', accountId: `secret-${n}` })),
  )
  await sql`update shopper_product set events = events + 1`.execute(db)
  const id = await openVerification(db, randomUUID(), BY)
  await beginVerification(db, id)
  await proveForRun(db, id)
  const { result } = (await findVerification(db, id))!
  expect(result!.drift).toHaveLength(100)
  expect(result!.drift_count).toBe(120)
  expect(result!.drift[0]).toMatchObject({
    aggregate: 'shopper_product',
    column: 'events',
    key: { shopper_id: '(left out)', product_id: 'lamp' },
  })
  const { rows } = await sql<{ text: string }>`select result::text as text from verification_run`.execute(db)
  expect(rows[0]!.text).not.toContain('secret')
})

test('a run is due unless one was requested since the hour', async ({ db }) => {
  const now = Date.now()
  const due = (sinceMs: number, id = randomUUID()) => requestDueVerification(db, id, sinceMs)
  const id = randomUUID()
  expect(await due(now - 60_000, id)).toBe(true)
  // A repeated attempt gives the same answer.
  expect(await due(now - 60_000, id)).toBe(true)
  expect(await due(now - 60_000)).toBe(false)
  await failVerification(db, id, 'no luck')
  expect(await due(now - 60_000)).toBe(false)
  expect(await findVerification(db, id)).toMatchObject({ actor: 'footfall' })
  await sql`update verification_run set requested_at = requested_at - interval '1 day'`.execute(db)
  await requestVerification(db, randomUUID(), BY)
  await sql`update verification_run set requested_at = requested_at - interval '1 day'`.execute(db)
  // Another run is open.
  expect(await due(now - 60_000)).toBe(false)
})

test('runs are listed in pages, the newest first', async ({ db }) => {
  const ids: string[] = []
  for (let n = 0; n < 5; n++) {
    const id = await openVerification(db, randomUUID(), BY)
    await failVerification(db, id, 'no luck')
    ids.unshift(id)
  }
  const seen: string[] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await listVerifications(db, { limit: 2, ...(cursor !== undefined && { cursor }) })
    seen.push(...page!.data.map(({ id }) => id))
    cursor = page!.meta.next_cursor
  }
  expect(seen).toEqual(ids)
  expect((await listVerifications(db, { status: 'completed', limit: 2 }))!.data).toEqual([])
  expect(await listVerifications(db, { limit: 2, cursor: 'nonsense' })).toBeUndefined()
})
