import { sql } from 'kysely'
import { type ChunkLimits, inChunks } from '../database/chunks.ts'
import type { Queryable, Database } from '../database/connection.ts'
import { waitForHolders, takeLock } from '../database/locks.ts'
import { addToDay, dayOf, daysOf } from './cells.ts'
import { onlyRow } from '../database/rows.ts'

/** Listing costs a pass over the hours that are still to be moved. */
const LISTED_PRODUCTS_MAX = 10_000
const CHUNK: ChunkLimits = { targetMs: 50, sizeMin: 20, sizeMax: 1_000 }

/**
 * Moves the roll-up's edge to the day that was so many days ago, then counts of hours before it into their days, for up to
 * 10,000 products. Hours before the edge are written by nobody else: counting puts late events into their days directly. Killed
 * anywhere, it is taken up by the next one; two at once take turns.
 * @returns how many cells were moved; 0 when none is left.
 */
export async function rollUpSome(db: Database, afterDays: number): Promise<number> {
  await moveEdge(db, afterDays)
  // Whoever counts by the edge before may still add to an hour.
  await waitForHolders(db, 'rules')
  const products = await productsToMove(db)
  return inChunks(products, CHUNK, (chunk) =>
    db.transaction().execute(async (tx) => {
      // A day's weight within itself depends on the half-life, which must not change meanwhile.
      await takeLock(tx, 'rules', 'shared')
      return moveToDays(tx, sql`product_id = any(${chunk}::text[]) and`)
    }),
  )
}

/** Moves all that is left, under the exclusive rules lock of the caller. */
export async function rollUpAll(tx: Queryable): Promise<number> {
  return moveToDays(tx, sql``)
}

/** Not past what is still in some product's trending: a repair looks for its hours. Nobody waits while the edge moves. */
async function moveEdge(db: Database, afterDays: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await takeLock(tx, 'rules', 'shared')
    await sql`
      update popularity_rules set rolled_to = e.edge
      from (select least(${dayOf(sql`now() - ${afterDays}::int * interval '1 day'`)}, ${dayOf(sql`repaired_to`)}) as edge
        from popularity_rules) e
      where rolled_to < e.edge`.execute(tx)
  })
}

async function productsToMove(db: Queryable): Promise<string[]> {
  const { rows } = await sql<{ productId: string }>`
    select distinct product_id as "productId" from product_hour
    where hour < (select rolled_to from popularity_rules) order by 1 limit ${LISTED_PRODUCTS_MAX}`.execute(db)
  return rows.map((row) => row.productId)
}

/** Cells are locked in key order, so that two movers take turns; the second finds them gone. */
async function moveToDays(tx: Queryable, which: ReturnType<typeof sql>): Promise<number> {
  const result = await sql<{ moved: number }>`
    with old as (
      select product_id, hour, event_type from product_hour
      where ${which} hour < (select rolled_to from popularity_rules)
      order by product_id, hour, event_type for update
    ), gone as (
      delete from product_hour h using old
      where h.product_id = old.product_id and h.hour = old.hour and h.event_type = old.event_type
      returning h.product_id, h.hour, h.event_type, h.events, h.decayed
    ), days as (
      insert into product_day as d (product_id, day, event_type, events, decayed) ${daysOf(sql`gone`)} ${addToDay}
    )
    select count(*)::int as moved from gone`.execute(tx)
  return onlyRow(result).moved
}

/** Before this instant, in milliseconds since 1970, only days are known. */
export async function rolledToMsOf(db: Queryable): Promise<number> {
  const result = await sql<{ at: Date }>`select rolled_to as at from popularity_rules`.execute(db)
  return onlyRow(result).at.getTime()
}
