import { sql } from 'kysely'
import { type ChunkLimits, inChunks } from '../database/chunks.ts'
import type { Queryable, Database } from '../database/connection.ts'
import { waitForHolders, takeLock, takeNamedLocks } from '../database/locks.ts'
import { addToDay, dayOf, daysOf } from './cells.ts'
import { onlyRow } from '../database/rows.ts'

/** Listing costs a pass over the hours that are not moved yet. */
const LISTED_PRODUCTS_MAX = 10_000
const CHUNK: ChunkLimits = { targetMs: 50, sizeMin: 20, sizeMax: 1_000 }

/**
 * Moves the roll-up's edge to the day so many days ago, then moves the hours before the edge into their days, for up to 10,000 products.
 * No other statement writes hours before the edge, because counting adds late events to their days directly. When it is killed, the
 * next call continues. Concurrent calls take turns.
 * @returns how many cells were moved; 0 when none is left.
 */
export async function rollUpSome(db: Database, afterDays: number): Promise<number> {
  await moveEdge(db, afterDays)
  // A transaction that counts by the previous edge may still add to an hour.
  await waitForHolders(db, 'rules')
  const products = await productsToMove(db)
  return inChunks(products, CHUNK, (chunk) =>
    db.transaction().execute(async (tx) => {
      // A decayed sum depends on the half-life, which must not change during the move.
      await takeLock(tx, 'rules', 'shared')
      await takeNamedLocks(tx, [['roll-up']])
      return moveToDays(tx, sql`product_id = any(${chunk}::text[]) and`)
    }),
  )
}

/** Moves all remaining hours. The caller holds the exclusive rules lock. */
export async function rollUpAll(tx: Queryable): Promise<number> {
  return moveToDays(tx, sql``)
}

/** The edge stays before hours that a product's trending may still include, because a repair looks for them. Moving it blocks nothing. */
async function moveEdge(db: Database, afterDays: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await takeLock(tx, 'rules', 'shared')
    const { rows } = await sql<{ edge: Date }>`
      select least(${dayOf(sql`now() - ${afterDays}::int * interval '1 day'`)}, ${dayOf(sql`repaired_to`)}) as edge
      from popularity_rules`.execute(tx)
    await sql`update popularity_rules set rolled_to = ${rows[0]?.edge ?? null} where rolled_to < ${rows[0]?.edge ?? null}`.execute(
      tx,
    )
  })
}

async function productsToMove(db: Queryable): Promise<string[]> {
  const { rows } = await sql<{ productId: string }>`
    select distinct product_id as "productId" from product_hour
    where hour < (select rolled_to from popularity_rules) order by 1 limit ${LISTED_PRODUCTS_MAX}`.execute(db)
  return rows.map((row) => row.productId)
}

/** Concurrent calls take turns, by a lock that their callers hold. The second one finds no cells. */
async function moveToDays(tx: Queryable, which: ReturnType<typeof sql>): Promise<number> {
  const result = await sql<{ moved: number }>`
    with gone as (
      delete from product_hour where ${which} hour < (select rolled_to from popularity_rules)
      returning product_id, hour, event_type, events, decayed
    ), days as (
      insert into product_day as d (product_id, day, event_type, events, decayed) ${daysOf(sql`gone`)} ${addToDay}
    )
    select count(*)::int as moved from gone`.execute(tx)
  return onlyRow(result).moved
}

/** The roll-up's edge in milliseconds since 1970. Only days exist before it. */
export async function rolledToMsOf(db: Queryable): Promise<number> {
  const result = await sql<{ at: Date }>`select rolled_to as at from popularity_rules`.execute(db)
  return onlyRow(result).at.getTime()
}
