import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import { cancellable } from '../../src/store/database/cancellable.ts'
import { cancellingClients } from '../../src/store/database/cancelling-clients.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { pgTest } from '../harness/fixtures.ts'

const test = pgTest.extend('reading', { scope: 'file' }, ({ database }, { onCleanup }) => {
  const reading = connect({ url: database.url, name: 'cancelled', connectionsMax: 1, prepares: true })
  onCleanup(() => reading.destroy())
  return reading
})

/** How many statements of the pool `reading` run. */
async function running(db: Database): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from pg_stat_activity
    where application_name = 'cancelled' and state = 'active' and query like '%pg_sleep%'`.execute(db)
  return rows[0]!.n
}

const sleeping = (seconds: number) => sql`select pg_sleep(${sql.lit(seconds)})`

test('an aborted signal cancels the running statement in PostgreSQL', async ({ db, reading }) => {
  const caller = new AbortController()
  const read = sleeping(300).execute(cancellable(reading, caller.signal))
  expect(await until(async () => (await running(db)) === 1, 10_000)).toBe(true)
  caller.abort(new Error('the caller hung up'))
  await expect(read).rejects.toThrow('the caller hung up')
  // The error arrives a moment before the statement has ended.
  expect(await until(async () => (await running(db)) === 0, 10_000)).toBe(true)
})

test('after the signal is aborted no statement begins', async ({ reading }) => {
  const signal = AbortSignal.abort(new Error('gone'))
  await expect(sleeping(300).execute(cancellable(reading, signal))).rejects.toThrow('gone')
})

test('an error of a statement stays what it is', async ({ reading }) => {
  const read = sql`select 1 / 0`.execute(cancellable(reading, new AbortController().signal))
  await expect(read).rejects.toThrow('division by zero')
})

test('a cancel never reaches the next statement of its connection', async ({ reading }) => {
  for (let n = 0; n < 200; n++) {
    const caller = new AbortController()
    const cancelled = sleeping(0.002)
      .execute(cancellable(reading, caller.signal))
      .catch(() => undefined)
    // Before, during and after the statement.
    await sleep(n % 6)
    caller.abort()
    const { rows } = await sql`select 1 as one, pg_sleep(0.001)`.execute(reading)
    expect(rows).toHaveLength(1)
    await cancelled
  }
})

test('other callers of the pool are not disturbed', async ({ db, reading }) => {
  const caller = new AbortController()
  const read = sleeping(300)
    .execute(cancellable(reading, caller.signal))
    .catch(() => 'cancelled')
  expect(await until(async () => (await running(db)) === 1, 10_000)).toBe(true)
  const waiting = sql`select 1 as one`.execute(cancellable(reading, new AbortController().signal))
  caller.abort()
  expect([await read, (await waiting).rows]).toEqual(['cancelled', [{ one: 1 }]])
})

test('a connection for cancels that breaks while it is in use ends nothing', async ({ db, database }) => {
  const { Client, end } = cancellingClients({ connectionString: database.url, application_name: 'cancelling' })
  const client = new Client({})
  await client.connect()
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cancelling'`.execute(db)
  // An error without a listener would fail the test.
  await expect.poll(() => client.query('select 1', []).then(String, String)).toMatch(/not queryable|terminated/)
  client.end()
  await end()
})
