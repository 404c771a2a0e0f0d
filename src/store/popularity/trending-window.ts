import { sql } from 'kysely'
import type { Queryable, Database } from '../database/connection.ts'
import { waitForHolders, takeLock } from '../database/locks.ts'
import { type ChunkLimits, inChunks } from '../database/chunks.ts'
import { hourOf, trendingOf, weighed } from './cells.ts'
import { allowLongStatements } from '../database/transaction.ts'

/** Listing costs a pass over the hours that left the window. */
const LISTED_PRODUCTS_MAX = 10_000
/** Counting waits for a small part of this, and callers may notice 50 ms. */
const CHUNK: ChunkLimits = { targetMs: 100, sizeMin: 100, sizeMax: 2_000 }
const PASSES = 3
/** Long before 2^1023, where float8 ends; the rules allow a half-life of an hour, so that is 8 days. */
const LANDMARK_HALF_LIVES_MAX = 200

/**
 * Moves the trending window's edge to where it belongs now, and the landmark when it is far behind, then repairs the
 * products that lost hours. Nobody waits while the edge moves.
 */
export async function refreshTrending(db: Database): Promise<{ repaired: number }> {
  await moveLandmark(db)
  await db.transaction().execute(async (tx) => {
    await takeLock(tx, 'rules', 'shared')
    await sql`
      update popularity_rules set edge = e.edge
      from (select ${hourOf(sql`now() - window_hours * interval '1 hour'`)} as edge from popularity_rules) e
      where popularity_rules.edge < e.edge`.execute(tx)
  })
  return { repaired: await repairTrending(db) }
}

/** Counting after a long rest would raise 2 to a power beyond float8: the landmark follows, and what is kept is scaled. */
async function moveLandmark(db: Database): Promise<void> {
  if ((await landmarkFactor(db)) === undefined) return
  await db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    await takeLock(tx, 'rules', 'exclusive')
    const factor = await landmarkFactor(tx)
    if (factor === undefined) return
    await sql`update product_popularity set trending = trending * ${factor}::float8`.execute(tx)
    await sql`update popularity_rules set landmark = ${hourOf(sql`now()`)}`.execute(tx)
  })
}

/** What a landmark of now makes of what is kept; undefined while the landmark is not far behind. */
async function landmarkFactor(db: Queryable): Promise<number | undefined> {
  const { rows } = await sql<{ factor: number }>`
    select power(2::float8, greatest(date_part('epoch', landmark - ${hourOf(sql`now()`)}) / 3600 / half_life_hours, -1000)) as factor
    from popularity_rules
    where now() - landmark > ${LANDMARK_HALF_LIVES_MAX} * half_life_hours * interval '1 hour'`.execute(db)
  return rows[0]?.factor
}

/**
 * Recomputes trending for every product that has hours between the last repair and the edge, once nobody counts by the edge
 * before any more. A killed repair is taken up by the next one: `repaired_to` moves last. Recomputing leaves no residue, as
 * subtracting would. Costs a pass over the hours that left the window, and per product the hours that are in it.
 * @returns how many products were recomputed.
 */
export async function repairTrending(db: Database): Promise<number> {
  const open = await openRepair(db)
  if (open === undefined) return 0
  await waitForHolders(db, 'rules')
  let repaired = 0
  for (let after: string | undefined; ;) {
    const products = await productsBetween(db, open, after)
    if (products.length === 0) break
    repaired += await repairProducts(db, products)
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
export async function openRepair(db: Queryable): Promise<OpenRepair | undefined> {
  const { rows } = await sql<OpenRepair>`
    select repaired_to as "repairedTo", edge from popularity_rules where repaired_to < edge`.execute(db)
  return rows[0]
}

async function productsBetween(db: Database, open: OpenRepair, after: string | undefined): Promise<string[]> {
  return db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    const { rows } = await sql<{ productId: string }>`
      select distinct product_id as "productId" from product_cell
      where hour >= ${open.repairedTo} and hour < ${open.edge} and product_id > ${after ?? ''}
      order by 1 limit ${LISTED_PRODUCTS_MAX}`.execute(tx)
    return rows.map((row) => row.productId)
  })
}

/** Hot products are being counted most of the time: those that were changed meanwhile are tried again, and then waited for one by one. */
async function repairProducts(db: Database, products: readonly string[]): Promise<number> {
  let repaired = 0
  let left = products
  for (let pass = 1; pass <= PASSES && left.length > 0; pass++) {
    const changed: string[] = []
    repaired += await inChunks(left, CHUNK, async (chunk) => {
      const done = new Set(await repairChunk(db, chunk))
      changed.push(...chunk.filter((product) => !done.has(product)))
      return done.size
    })
    left = changed
  }
  for (const product of left) repaired += (await repairChunk(db, [product], { areHeld: true })).length
  return repaired
}

/**
 * Recomputes products without a lock, then puts in what is found for those that nobody changed or changes meanwhile: whoever counts
 * a product changes its row, last of all. So counting waits for as long as rows take to be written, and not for what they are
 * computed from. When they are held, from before the first statement, all are repaired. @returns those that were.
 */
async function repairChunk(db: Database, productIds: readonly string[], { areHeld = false } = {}): Promise<string[]> {
  return db.transaction().execute(async (tx) => {
    // The rows would be held until the disk has answered. `repaired_to` is written after them, and never reaches it before them.
    await sql`set local synchronous_commit = off`.execute(tx)
    await takeLock(tx, 'rules', 'shared')
    if (areHeld) {
      await sql`select from product_popularity where product_id = any(${productIds}::text[]) order by product_id for update`.execute(
        tx,
      )
    }
    // One whose last hour left the window has nothing to add up.
    const { rows: found } = await sql<{ productId: string; version: string; trending: number }>`
      select p.product_id as "productId", p.xmin::text as version, coalesce(f.trending, 0) as trending
      from product_popularity p left join (
        select c.product_id, ${trendingOf} as trending
        from product_hour c cross join popularity_rules r ${weighed}
        where c.product_id = any(${productIds}::text[]) and c.hour >= (select edge from popularity_rules)
        group by c.product_id
      ) f using (product_id)
      where p.product_id = any(${productIds}::text[])`.execute(tx)
    const { rows: repaired } = await sql<{ productId: string }>`
      with free as materialized (
        select product_id from product_popularity where product_id = any(${productIds}::text[]) order by product_id for update skip locked
      )
      update product_popularity p set trending = found.trending
      from free join unnest(${found.map((row) => row.productId)}::text[], ${found.map((row) => row.version)}::text[],
        ${found.map((row) => row.trending)}::float8[]) as found (product_id, version, trending) using (product_id)
      where p.product_id = found.product_id and p.xmin = found.version::xid
      returning p.product_id as "productId"`.execute(tx)
    return repaired.map((row) => row.productId)
  })
}
