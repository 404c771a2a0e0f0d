import { randomUUID } from 'node:crypto'
import type { ObjectContext } from '@restatedev/restate-sdk'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { watchSilentRuns } from '../../services/tasks/watch-runs.ts'
import type { Database, Queryable } from '../../src/store/database/connection.ts'
import { requestErasure } from '../../src/store/erasure/run-machine.ts'
import { requestRun } from '../../src/store/reports/run-request.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { day } from '../harness/items/recomputed.ts'
import { clear } from '../harness/servers/database.ts'
import { TEST_DEPS } from '../harness/servers/deps.ts'

test.beforeEach(({ db }) => clear(db))

/** Watches every open run. @returns what it sent, as service and key. */
async function watched(db: Queryable): Promise<string[]> {
  const sent: string[] = []
  const ctx = {
    run: (_name: string, work: () => Promise<unknown>) => work(),
    sendClient: ({ name }: { name: string }, key: string) => ({ Execute: () => void sent.push(`${name} ${key}`) }),
  } as unknown as ObjectContext
  const background = db as Database
  await watchSilentRuns(-1_000)({ ...TEST_DEPS, db: background, background }, ctx, 0)
  return sent
}

test('recomputations are watched also by a role that may not read erasures yet', async ({ db }) => {
  const [run, erasure] = [randomUUID(), randomUUID()]
  const days = { date_from: day(2), date_to: day(1) }
  await requestRun(db, run, { report_slug: 'volume-by-period', window: 'day', ...days, actor: 'ada' })
  await requestErasure(db, erasure, { shopper_id: 'session:s', actor: 'ada' })
  expect(await watched(db)).toEqual([`RecomputeRun ${run}`, `Erasure ${erasure}`])
  await db.connection().execute(async (session) => {
    await sql`create role not_migrated`.execute(session)
    await sql`grant select on recompute_run to not_migrated`.execute(session)
    await sql`set role not_migrated`.execute(session)
    try {
      expect(await watched(session)).toEqual([`RecomputeRun ${run}`])
    } finally {
      await sql`reset role; drop owned by not_migrated; drop role not_migrated`.execute(session)
    }
  })
})
