import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { answersBeforeStandbys } from '../../src/store/database/replication.ts'
import { watched } from '../harness/watched.ts'
import { startPrimary, startStandby, type TestServer } from '../harness/servers/standby.ts'

const numbers = (server: TestServer) =>
  server.execute(async (db) => (await sql<{ n: number }>`select n from numbers order by n`.execute(db)).rows.map(({ n }) => n))

const insert = (server: TestServer, n: number) => server.execute((db) => sql`insert into numbers values (${n})`.execute(db))

test('a standby has what its primary wrote, lags while it is cut off, and is writable on a new timeline when it is promoted', async ({
  onTestFinished,
}) => {
  const primary = await startPrimary()
  onTestFinished(primary.remove)
  await primary.execute((db) => sql`create table numbers (n int)`.execute(db))
  const standby = await startStandby(primary, { synchronousName: 's1' })
  onTestFinished(standby.remove)
  await insert(primary, 1)
  await standby.waitUntilCaughtUp()
  expect(await numbers(standby)).toEqual([1])
  await expect(insert(standby, 2)).rejects.toThrow('read-only transaction')

  await standby.stopReceiver()
  await insert(primary, 2)
  expect(await numbers(standby)).toEqual([1])
  await standby.resumeReceiver()
  await standby.waitUntilCaughtUp()
  expect(await numbers(standby)).toEqual([1, 2])

  await standby.stopReceiver()
  await insert(primary, 3)
  await primary.kill()
  await standby.promote()
  await insert(standby, 4)
  expect(await numbers(standby)).toEqual([1, 2, 4])
  expect(await standby.timeline()).toBe(2)

  const next = await startStandby(standby)
  onTestFinished(next.remove)
  await next.waitUntilCaughtUp()
  expect(await numbers(next)).toEqual([1, 2, 4])
  await primary.start()
  expect(await numbers(primary)).toEqual([1, 2, 3])
})

test('a primary with a synchronous standby does not answer a commit while that one is cut off', async ({ onTestFinished }) => {
  const primary = await startPrimary()
  onTestFinished(primary.remove)
  await primary.execute((db) => sql`create table numbers (n int)`.execute(db))
  const standby = await startStandby(primary, { synchronousName: 's1' })
  onTestFinished(standby.remove)
  expect(await primary.execute(answersBeforeStandbys)).toBe(true)
  await primary.configure({ synchronous_standby_names: 'ANY 1 (s1)' })
  await expect.poll(() => primary.execute(answersBeforeStandbys)).toBe(false)
  await insert(primary, 1)
  await standby.stopReceiver()
  let isAnswered = false
  const waiting = watched(insert(primary, 2).then(() => (isAnswered = true)))
  await expect
    .poll(() =>
      primary.execute(
        async (db) => (await sql`select from pg_stat_activity where wait_event = 'SyncRep'`.execute(db)).rows.length,
      ),
    )
    .toBe(1)
  expect(isAnswered).toBe(false)
  await standby.resumeReceiver()
  await waiting
  await primary.kill()
  await standby.promote()
  expect(await numbers(standby)).toEqual([1, 2])
})
