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

const LOCK = 4711
const locking = sql`select pg_advisory_xact_lock(${sql.lit(LOCK)})`

/** Takes the lock until it is released. */
async function holdLock(db: Database) {
  const [taken, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const ended = db.transaction().execute(async (tx) => {
    await locking.execute(tx)
    taken.resolve()
    await released.promise
  })
  await taken.promise
  return { release: () => released.resolve(), ended }
}

async function isWaiting(db: Database): Promise<boolean> {
  const { rows } = await sql`select from pg_locks where locktype = 'advisory' and objid = ${LOCK} and not granted`.execute(db)
  return rows.length > 0
}

test('a cancel never reaches the next statement of its connection', async ({ db, reading }) => {
  for (let n = 0; n < 100; n++) {
    const caller = new AbortController()
    const held = await holdLock(db)
    const cancelled = locking.execute(cancellable(reading, caller.signal)).catch(() => undefined)
    // The statement ends while its cancel is on its way; sometimes it is cancelled before it has begun.
    if (n % 3 > 0) while (!(await isWaiting(db)));
    if (n % 2 === 0) caller.abort()
    held.release()
    caller.abort()
    const { rows } = await sql`select 1 as one, pg_sleep(0.001)`.execute(reading)
    expect(rows).toHaveLength(1)
    await Promise.all([cancelled, held.ended])
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
