import { sql } from 'kysely'
import type { Database, Store } from './database.ts'
import { lockFor } from './locks.ts'
import { type ChunkLimits, inChunks } from './chunks.ts'
import { hourOf, trendingOf, weighed } from './popularity-score.ts'

/** Listing costs a pass over the hours that left the window. */
const LISTED_PRODUCTS_MAX = 10_000
/** Counting waits for the products of a chunk, and callers may notice 50 ms. */
const CHUNK: ChunkLimits = { targetMs: 20, sizeMin: 20, sizeMax: 2_000 }
const REFRESH_MINUTES_MAX = 30
/** Long before 2^1023, where float8 ends; the rules allow a half-life of an hour, so that is 8 days. */
const LANDMARK_HALF_LIVES_MAX = 200

/**
 * Moves the trending window's edge to where it belongs now, and the landmark when it is far behind, then repairs the
 * products that lost hours. Counting waits only while the edge moves: one row.
 */
export async function refreshTrending(db: Store): Promise<{ repaired: number }> {
  await db.transaction().execute(async (tx) => {
    await sql`set local statement_timeout = ${sql.lit(`${REFRESH_MINUTES_MAX}min`)}`.execute(tx)
    await lockFor(tx, 'rules', 'exclusive')
    await moveLandmark(tx)
    await sql`
      update popularity_rules set edge = greatest(edge, ${hourOf(sql`now() - window_hours * interval '1 hour'`)})`.execute(tx)
  })
  return { repaired: await repairTrending(db) }
}

/** Counting after a long rest would raise 2 to a power beyond float8: the landmark follows, and what is kept is scaled. */
async function moveLandmark(tx: Database): Promise<void> {
  const { rows } = await sql<{ factor: number }>`
    select power(2::float8, greatest(date_part('epoch', landmark - ${hourOf(sql`now()`)}) / 3600 / half_life_hours, -1000)) as factor
    from popularity_rules
    where now() - landmark > ${LANDMARK_HALF_LIVES_MAX} * half_life_hours * interval '1 hour'`.execute(tx)
  if (rows[0] === undefined) return
  await sql`update product_popularity set trending = trending * ${rows[0].factor}::float8`.execute(tx)
  await sql`update popularity_rules set landmark = ${hourOf(sql`now()`)}`.execute(tx)
}

/**
 * Recomputes trending for every product that has hours between the last repair and the edge. A killed repair is taken up
 * by the next one: `repaired_to` moves last. Recomputing leaves no residue, as subtracting would. Costs a pass over the hours
 * that left the window, and per product the hours that are in it.
 * @returns how many products were recomputed.
 */
export async function repairTrending(db: Store): Promise<number> {
  const open = await openRepair(db)
  if (open === undefined) return 0
  let repaired = 0
  for (let after: string | undefined; ;) {
    const products = await productsBetween(db, open, after)
    if (products.length === 0) break
    repaired += await inChunks(products, CHUNK, (chunk) => repairChunk(db, chunk))
    after = products.at(-1)
  }
  await sql`update popularity_rules set repaired_to = ${open.edge} where edge = ${open.edge} and repaired_to = ${open.repairedTo}`.execute(
    db,
  )
  return repaired
}

interface OpenRepair {
  repairedTo: Date
  edge: Date
}

/** The hours that left the window and still stand in some product's trending; undefined when there are none. */
export async function openRepair(db: Database): Promise<OpenRepair | undefined> {
  const { rows } = await sql<OpenRepair>`
    select repaired_to as "repairedTo", edge from popularity_rules where repaired_to < edge`.execute(db)
  return rows[0]
}

async function productsBetween(db: Database, open: OpenRepair, after: string | undefined): Promise<string[]> {
  const { rows } = await sql<{ productId: string }>`
    select distinct product_id as "productId" from product_hour
    where hour >= ${open.repairedTo} and hour < ${open.edge} and product_id > ${after ?? ''}
    order by 1 limit ${LISTED_PRODUCTS_MAX}`.execute(db)
  return rows.map((row) => row.productId)
}

/**
 * Locks the products, then recomputes them in a second statement: the locking one sees the older snapshot. One whose last hour
 * left the window has nothing to add up.
 */
async function repairChunk(db: Store, productIds: readonly string[]): Promise<number> {
  return db.transaction().execute(async (tx) => {
    await lockFor(tx, 'rules', 'shared')
    await sql`
      select from product_popularity where product_id = any(${productIds}::text[]) order by product_id for update`.execute(tx)
    await sql`
      update product_popularity p set trending = coalesce(f.trending, 0)
      from unnest(${productIds}::text[]) as own (product_id) left join (
        select c.product_id, ${trendingOf} as trending
        from product_hour c cross join popularity_rules r ${weighed}
        where c.product_id = any(${productIds}::text[]) and c.hour >= (select edge from popularity_rules)
        group by c.product_id
      ) f using (product_id)
      where p.product_id = own.product_id`.execute(tx)
    return productIds.length
  })
}
