import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { type Queryable, isDeadlock, isLockTimeout, type Database } from './connection.ts'

const GONE_MS_MAX = 60_000
const GONE_POLL_MS = 20

/** Advisory locks. The numbers are arbitrary; they only have to differ from those of other programs. */
const LOCKS = {
  migrations: 0x466f_6f74_0001n,
  rules: 0x466f_6f74_0002n,
  partitions: 0x466f_6f74_0003n,
  retention: 0x466f_6f74_0004n,
} as const

/**
 * Holds a lock until the transaction ends. It is a statement of its own, because a statement's snapshot is taken before
 * it waits: what was committed meanwhile is seen only by the next statement.
 */
export async function takeLock(tx: Queryable, lock: keyof typeof LOCKS, mode: 'shared' | 'exclusive'): Promise<void> {
  const key = LOCKS[lock].toString()
  await (mode === 'shared'
    ? sql`select pg_advisory_xact_lock_shared(${key}::bigint)`.execute(tx)
    : sql`select pg_advisory_xact_lock(${key}::bigint)`.execute(tx))
}

/** The same for something that has a name. */
export async function takeNamedLock(tx: Queryable, ...name: string[]): Promise<void> {
  const key = createHash('sha256').update(JSON.stringify(name)).digest().readBigInt64BE().toString()
  await sql`select pg_advisory_xact_lock(${key}::bigint)`.execute(tx)
}

const CHANGE_LOCK_MS_MAX = 2_000
const CHANGE_ATTEMPTS_MAX = 30

/**
 * Changes tables in a transaction, one who does so at a time. Whoever comes behind a lock that is waited for waits too: so it waits
 * for two seconds at most, lets them through, and begins again. @throws after a minute or so.
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
 * Does something while this session holds a lock, for what cannot be in a transaction; not at all when somebody else has it.
 * A session that breaks lets go of it.
 */
export async function withSessionLock<T>(
  session: Queryable,
  lock: keyof typeof LOCKS,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const key = LOCKS[lock].toString()
  const { rows } = await sql<{ held: boolean }>`select pg_try_advisory_lock(${key}::bigint) as held`.execute(session)
  if (!rows[0]!.held) return undefined
  try {
    return await work()
  } finally {
    await sql`select pg_advisory_unlock(${key}::bigint)`.execute(session).catch(() => undefined)
  }
}

/**
 * Waits until every transaction that shares a lock now has ended, without making anybody wait: who takes it from now on sees what
 * was committed before. Not to be called by one that holds it itself. @throws when one of them does not end.
 */
export async function waitForHolders(db: Queryable, lock: keyof typeof LOCKS): Promise<void> {
  const key = LOCKS[lock]
  await waitForTransactions(
    db,
    sql`locktype = 'advisory' and mode = 'ShareLock' and objsubid = 1 and classid = ${String(key >> 32n)}::oid and objid = ${String(key & 0xffff_ffffn)}::oid`,
  )
}

/** Waits until every transaction that has such a lock of this database now has ended. @throws when one of them does not. */
export async function waitForTransactions(db: Queryable, isOne: ReturnType<typeof sql>): Promise<void> {
  const holders = async () => {
    const { rows } = await sql<{ holder: string }>`
      select distinct virtualtransaction as holder from pg_locks
      where granted and database = (select oid from pg_database where datname = current_database()) and ${isOne}`.execute(db)
    return rows.map((row) => row.holder)
  }
  let left = await holders()
  for (const endMs = performance.now() + GONE_MS_MAX; left.length > 0;) {
    if (performance.now() > endMs) throw new Error('a transaction that writes does not end')
    await sleep(GONE_POLL_MS)
    const now = new Set(await holders())
    left = left.filter((holder) => now.has(holder))
  }
}
