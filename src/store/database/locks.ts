import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Queryable, Database } from './connection.ts'
import { isDeadlock, isLockTimeout } from './sql-state.ts'
import { onlyRow } from './rows.ts'

const WAIT_MS_MAX = 60_000
const WAIT_POLL_MS = 20

/** Advisory locks. The numbers are arbitrary: they only have to differ from those of other programs. */
const LOCKS = {
  migrations: 0x466f_6f74_0001n,
  rules: 0x466f_6f74_0002n,
  retention: 0x466f_6f74_0004n,
  repair: 0x466f_6f74_0005n,
} as const

/**
 * Holds a lock until the transaction ends. It is a statement of its own, because a statement's snapshot is taken before it waits
 * for a lock: only the next statement sees what was committed in the meantime.
 */
export async function takeLock(tx: Queryable, lock: keyof typeof LOCKS, mode: 'shared' | 'exclusive'): Promise<void> {
  const key = LOCKS[lock].toString()
  await (mode === 'shared'
    ? sql`select pg_advisory_xact_lock_shared(${key}::bigint)`.execute(tx)
    : sql`select pg_advisory_xact_lock(${key}::bigint)`.execute(tx))
}

/** The name of a lock: its namespace, and what is locked in it. */
type LockName = readonly [namespace: string, ...parts: string[]]

/**
 * Holds named locks until the transaction ends. It is a statement of its own, as `takeLock` is. They are taken in the order of their
 * keys, so that two calls with common names cannot deadlock.
 */
export async function takeNamedLocks(tx: Queryable, names: readonly LockName[]): Promise<void> {
  const keys = [...new Set(names.map(keyOfName))]
  await sql`select pg_advisory_xact_lock(key) from (select key from unnest(${keys}::bigint[]) as key order by key) k`.execute(tx)
}

/** Holds named locks that no other transaction holds until the transaction ends: at most so many, in this order. @returns their places; it waits for none. */
export async function tryNamedLocks(tx: Queryable, names: readonly LockName[], heldMax: number): Promise<number[]> {
  const result = await sql<{ places: number[] }>`
    select array(select n::int - 1 from unnest(${names.map(keyOfName)}::bigint[]) with ordinality as lock(key, n)
      where pg_try_advisory_xact_lock(key) limit ${heldMax}) as places`.execute(tx)
  return onlyRow(result).places
}

/** Releases that run at the same time must agree on the keys. */
function keyOfName(name: LockName): string {
  return createHash('sha256').update(JSON.stringify(name)).digest().readBigInt64BE().toString()
}

const CHANGE_LOCK_MS_MAX = 2_000
const CHANGE_ATTEMPTS_MAX = 30

/**
 * Changes tables in a transaction, one such transaction at a time. While it waits for a table's lock, statements that need the table
 * queue behind it. So it waits 2 s at most, lets them through, and starts again. @throws after 30 attempts, about a minute.
 */
export async function alterTables<T>(db: Database, work: (tx: Queryable) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(async (tx) => {
        await takeLock(tx, 'migrations', 'exclusive')
        await sql`set local lock_timeout = ${sql.lit(CHANGE_LOCK_MS_MAX)}`.execute(tx)
        return work(tx)
      })
    } catch (error) {
      if (!(isLockTimeout(error) || isDeadlock(error)) || attempt === CHANGE_ATTEMPTS_MAX) throw error
    }
  }
}

/**
 * Works while this session holds a lock, for statements that cannot run in a transaction. A session that breaks releases the lock.
 * @returns undefined, without working, when another session holds it.
 */
export async function withSessionLock<T>(
  session: Queryable,
  lock: keyof typeof LOCKS,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const key = LOCKS[lock].toString()
  const result = await sql<{ isHeld: boolean }>`select pg_try_advisory_lock(${key}::bigint) as "isHeld"`.execute(session)
  if (!onlyRow(result).isHeld) return undefined
  try {
    return await work()
  } finally {
    await sql`select pg_advisory_unlock(${key}::bigint)`.execute(session).catch(() => undefined)
  }
}

/**
 * Waits until every transaction that now shares a lock has ended. It takes no lock, so it delays no other transaction: transactions that
 * take the lock from now on see what was committed before. A caller must not hold the lock itself.
 * @throws when a transaction does not end within a minute.
 */
export async function waitForHolders(db: Queryable, lock: keyof typeof LOCKS): Promise<void> {
  const key = LOCKS[lock]
  await waitForTransactions(
    db,
    sql`locktype = 'advisory' and mode = 'ShareLock' and objsubid = 1 and classid = ${String(key >> 32n)}::oid and objid = ${String(key & 0xffff_ffffn)}::oid`,
  )
}

/** Waits until every transaction that now has such a lock in this database has ended. @throws when one does not within a minute. */
export async function waitForTransactions(db: Queryable, isSuchLock: ReturnType<typeof sql>): Promise<void> {
  if (await haveTransactionsEnded(db, isSuchLock, WAIT_MS_MAX)) return
  throw new Error(`a transaction that writes did not end within ${WAIT_MS_MAX / 1_000} s`)
}

/** Waits as `waitForTransactions` does. @returns whether all of them ended within this time. */
export async function haveTransactionsEnded(
  db: Queryable,
  isSuchLock: ReturnType<typeof sql>,
  waitMsMax: number,
): Promise<boolean> {
  const holders = async () => {
    const { rows } = await sql<{ holder: string }>`
      select distinct virtualtransaction as holder from pg_locks
      where granted and database = (select oid from pg_database where datname = current_database()) and ${isSuchLock}`.execute(db)
    return rows.map((row) => row.holder)
  }
  const endMs = performance.now() + waitMsMax
  let remaining = await holders()
  while (remaining.length > 0) {
    if (performance.now() > endMs) return false
    await sleep(WAIT_POLL_MS)
    const current = new Set(await holders())
    remaining = remaining.filter((holder) => current.has(holder))
  }
  return true
}
