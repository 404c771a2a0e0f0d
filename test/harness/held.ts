import { sql } from 'kysely'
import { expect } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import type { Database, Queryable } from '../../src/store/database/connection.ts'

/** Keeps a transaction open. @returns a function that ends it. */
export async function held(db: Database, work: (tx: Queryable) => Promise<unknown>): Promise<() => Promise<void>> {
  const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>()
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
  const ended = db.transaction().execute(async (tx) => {
    await work(tx)
    begin()
    await mayEnd
  })
  await hasBegun
  return () => {
    end()
    return ended
  }
}

/** Waits until a session waits for a lock of another one. */
export async function someoneWaits(db: Database): Promise<void> {
  const waits = async () => {
    const { rows } = await sql`
      select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(db)
    return rows.length > 0
  }
  expect(await until(waits, 20_000)).toBe(true)
}
