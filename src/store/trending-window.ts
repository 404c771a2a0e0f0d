import { sql } from 'kysely'
import type { Database, Store } from './database.ts'
import { lockFor } from './locks.ts'
import { hourOf, trendingOf, weighed } from './popularity-score.ts'

const REPAIR_PRODUCTS_MAX = 500
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
 * by the next one: `repaired_to` moves last. Recomputing leaves no residue, as subtracting would.
 * @returns how many products were recomputed.
 */
export async function repairTrending(db: Store): Promise<number> {
  const open = await openRepair(db)
  if (open === undefined) return 0
  let repaired = 0
  for (let after: string | undefined; ;) {
    const chunk = await productsBetween(db, open, after)
    if (chunk.length === 0) break
    await repairChunk(db, chunk)
    repaired += chunk.length
    after = chunk.at(-1)
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
    order by 1 limit ${REPAIR_PRODUCTS_MAX}`.execute(db)
  return rows.map((row) => row.productId)
}

/** Locks the products, then recomputes them in a second statement: the locking one sees the older snapshot. */
async function repairChunk(db: Store, productIds: readonly string[]): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await lockFor(tx, 'rules', 'shared')
    await sql`
      select from product_popularity where product_id = any(${productIds}::text[]) order by product_id for update`.execute(tx)
    await sql`
      update product_popularity p set trending = f.trending
      from (
        select c.product_id, ${trendingOf} as trending
        from product_hour c cross join popularity_rules r ${weighed}
        where c.product_id = any(${productIds}::text[]) group by c.product_id
      ) f
      where f.product_id = p.product_id`.execute(tx)
  })
}
