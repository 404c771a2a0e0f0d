import { sql } from 'kysely'
import type { Database } from './database.ts'

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
export async function lockFor(tx: Database, lock: keyof typeof LOCKS, mode: 'shared' | 'exclusive'): Promise<void> {
  const key = LOCKS[lock].toString()
  await (mode === 'shared'
    ? sql`select pg_advisory_xact_lock_shared(${key}::bigint)`.execute(tx)
    : sql`select pg_advisory_xact_lock(${key}::bigint)`.execute(tx))
}

/**
 * Does something while this session holds a lock, for what cannot be in a transaction; not at all when somebody else has it.
 * A session that breaks lets go of it.
 */
export async function whileHeld<T>(session: Database, lock: keyof typeof LOCKS, work: () => Promise<T>): Promise<T | undefined> {
  const key = LOCKS[lock].toString()
  const { rows } = await sql<{ held: boolean }>`select pg_try_advisory_lock(${key}::bigint) as held`.execute(session)
  if (!rows[0]!.held) return undefined
  try {
    return await work()
  } finally {
    await sql`select pg_advisory_unlock(${key}::bigint)`.execute(session).catch(() => undefined)
  }
}
