import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../src/store/database/connection.ts'
import { versionInForce } from '../../src/store/similarity/rows.ts'
import { requestDueRun } from '../../src/store/similarity/run-due.ts'
import { findSimilarityRun, listSimilarityRuns } from '../../src/store/similarity/run-list.ts'
import {
  abandonSimilarityRun,
  advanceSimilarityRun,
  beginSimilarityRun,
  cancelSimilarityRun,
  completeSimilarityRun,
  failSimilarityRun,
  requestSimilarityRun,
  silentSimilarityRuns,
} from '../../src/store/similarity/run-machine.ts'
import { clear } from '../harness/servers/database.ts'
import { describeRuns } from '../harness/reference/run-machine.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record } from '../harness/items/events.ts'
import { filledVersion, madeVersion } from '../harness/items/similarity.ts'

test.beforeEach(({ db }) => clear(db))

const REQUEST = { kind: 'requested', actor: 'ada', requested_by: 'shop' } as const

describeRuns({
  table: 'similarity_run',
  audited: 'similarity',
  commands: {
    start: (db, id) => requestSimilarityRun(db, id, REQUEST),
    begin: beginSimilarityRun,
    advance: (db, id) => advanceSimilarityRun(db, id, { stage: 'counting', done: 1, total: 2 }),
    complete: (db, id, version: number) => completeSimilarityRun(db, id, version),
    fail: (db, id) => failSimilarityRun(db, id, 'no luck'),
    cancel: (db, id) => cancelSimilarityRun(db, id, { actor: 'bob' }),
    abandon: abandonSimilarityRun,
  },
  find: findSimilarityRun,
  silent: silentSimilarityRuns,
  make: completeVersion,
  inForce: async (db) => (await versionInForce(db))?.version,
})

/** A complete version of some run that has ended, which another run may put in force. */
async function completeVersion(db: Database): Promise<number> {
  const { runId, version } = await filledVersion(db, 1)
  await cancelSimilarityRun(db, runId, { actor: 'ada' })
  return version
}

test('a version without its totals cannot be put in force', async ({ db }) => {
  const { runId, version } = await filledVersion(db, 1)
  await sql`update similarity_version set content_weight = null`.execute(db)
  await expect(completeSimilarityRun(db, runId, version)).rejects.toThrow('is not complete')
  expect(await findSimilarityRun(db, runId)).toMatchObject({ status: 'running' })
})

test('the first run is due with 1,000 interactions, and the next one after the hours', async ({ db }) => {
  const due = async (hours = 24) => {
    const id = randomUUID()
    const isDue = await requestDueRun(db, id, hours)
    // A repeated attempt gives the same answer.
    expect(await requestDueRun(db, id, hours)).toBe(isDue)
    if (isDue) await failSimilarityRun(db, id, 'of the test')
    return isDue
  }
  await record(
    db,
    Array.from({ length: 999 }, () => interaction()),
  )
  expect(await due()).toBe(false)
  await record(db, [interaction()])
  expect(await due(0)).toBe(false)
  expect(await due()).toBe(true)
  const { runs } = await listSimilarityRuns(db, { limit: 10, offset: 0 })
  expect(runs).toMatchObject([{ kind: 'scheduled', actor: 'footfall' }])
  // A run that failed is tried again an hour later.
  expect(await due()).toBe(false)
  await sql`update similarity_run set requested_at = requested_at - interval '2 hours'`.execute(db)
  expect(await due()).toBe(true)
  await madeVersion(db, 1)
  await sql`update similarity_version set batch_to = (select max(batch_id) from interaction_batch)`.execute(db)
  await sql`update similarity_run set requested_at = requested_at - interval '2 hours'`.execute(db)
  expect(await due()).toBe(false)
  await sql`update similarity_version set made_at = made_at - interval '24 hours'`.execute(db)
  expect(await due(25)).toBe(false)
  expect(await due()).toBe(true)
  await sql`update similarity_run set requested_at = requested_at - interval '2 hours'`.execute(db)
  await requestSimilarityRun(db, randomUUID(), REQUEST)
  expect(await due()).toBe(false)
})

test('a version of a log without its first 1,000 interactions is made again when they are there', async ({ db }) => {
  const isDue = () => requestDueRun(db, randomUUID(), 24)
  await record(
    db,
    Array.from({ length: 900 }, () => interaction()),
  )
  await madeVersion(db, 1)
  await sql`update similarity_version set batch_to = (select max(batch_id) from interaction_batch)`.execute(db)
  await record(
    db,
    Array.from({ length: 99 }, () => interaction()),
  )
  expect(await isDue()).toBe(false)
  await record(db, [interaction()])
  expect(await isDue()).toBe(true)
  await sql`update similarity_run set status = 'cancelled', finished_at = now() where status = 'pending'`.execute(db)
  // A version that has them may have few events that count, e.g. because most are of categories.
  await sql`update similarity_version set batch_to = (select max(batch_id) from interaction_batch)`.execute(db)
  await sql`update similarity_run set requested_at = requested_at - interval '2 hours'`.execute(db)
  expect(await isDue()).toBe(false)
})
