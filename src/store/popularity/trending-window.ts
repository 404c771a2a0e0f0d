import { sql } from 'kysely'
import type { Queryable, Database } from '../database/connection.ts'
import { waitForHolders, takeLock } from '../database/locks.ts'
import { type ChunkLimits, inChunks } from '../database/chunks.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { hourOf, trendingOf, weighed } from './cells.ts'
import { allowLongStatements } from '../database/transaction.ts'

/** Listing costs a pass over the hours that left the window. */
const LISTED_PRODUCTS_MAX = 10_000
/** Counting waits for a small part of a chunk's time, and callers notice 50 ms. */
const CHUNK: ChunkLimits = { targetMs: 100, sizeMin: 100, sizeMax: 2_000 }
const PASSES = 3
/** Far below 2^1023, where float8 ends. With the shortest half-life, an hour, it is 8 days. */
const LANDMARK_HALF_LIVES_MAX = 200

/**
 * Moves the edge of the trending window to its place as of now, and the landmark when it is far behind, then repairs the products that
 * lost hours. Moving the edge blocks nothing.
 */
export async function refreshTrending(db: Database): Promise<{ repaired: number }> {
  await moveLandmark(db)
  await db.transaction().execute(async (tx) => {
    await takeLock(tx, 'rules', 'shared')
    // In two statements, because Citus computes no instants of columns in an update.
    const { rows } = await sql<{ edge: Date }>`
      select ${hourOf(sql`now() - window_hours * interval '1 hour'`)} as edge from popularity_rules`.execute(tx)
    await sql`update popularity_rules set edge = ${rows[0]?.edge ?? null} where edge < ${rows[0]?.edge ?? null}`.execute(tx)
  })
  return { repaired: await repairTrending(db) }
}

/** Moves the landmark and scales the stored sums, because counting long after the landmark would exceed float8. */
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

/** The factor for stored sums when the landmark moves to now; undefined while the landmark is recent enough. */
async function landmarkFactor(db: Queryable): Promise<number | undefined> {
  const { rows } = await sql<{ factor: number }>`
    select power(2::float8, greatest(date_part('epoch', landmark - ${hourOf(sql`now()`)}) / 3600 / half_life_hours, -1000)) as factor
    from popularity_rules
    where now() - landmark > ${LANDMARK_HALF_LIVES_MAX} * half_life_hours * interval '1 hour'`.execute(db)
  return rows[0]?.factor
}

/**
 * Recomputes trending for every product with hours between the last repair and the edge, after the last transaction that counts by the
 * previous edge has ended. When it is killed, the next repair continues, because `repaired_to` moves last. It recomputes because
 * subtracting floats would leave residues. Costs a pass over the hours that left the window, and each product's hours in it.
 * @returns how many products were recomputed.
 */
export async function repairTrending(db: Database): Promise<number> {
  const open = await openRepair(db)
  if (open === undefined) return 0
  await waitForHolders(db, 'rules')
  let repaired = 0
  let products = await productsBetween(db, open, '')
  while (products.length > 0) {
    repaired += await repairProducts(db, products)
    products = await productsBetween(db, open, products.at(-1)!)
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

/** The hours that left the window and may still be in some product's trending; undefined when there are none. */
export async function openRepair(db: Queryable): Promise<OpenRepair | undefined> {
  const { rows } = await sql<OpenRepair>`
    select repaired_to as "repairedTo", edge from popularity_rules where repaired_to < edge`.execute(db)
  return rows[0]
}

async function productsBetween(db: Database, open: OpenRepair, after: string): Promise<string[]> {
  return db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    const { rows } = await sql<{ productId: string }>`
      select distinct product_id as "productId" from product_cell
      where hour >= ${open.repairedTo} and hour < ${open.edge} and product_id > ${after}
      order by 1 limit ${LISTED_PRODUCTS_MAX}`.execute(tx)
    return rows.map((row) => row.productId)
  })
}

/** Hot products are counted most of the time. Products that change during a pass are repaired in another pass, and finally under a lock. */
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
 * Computes trending without locks, then writes it to the products whose rows have not changed since and are not locked. Counting a
 * product changes its row last. So counting waits only while rows are written, and not while they are computed. With `areHeld` it
 * locks the rows first, and repairs all. @returns the repaired products.
 */
async function repairChunk(db: Database, productIds: readonly string[], { areHeld = false } = {}): Promise<string[]> {
  return db.transaction().execute(async (tx) => {
    // Releases the rows without waiting for the disk. `repaired_to` is written later, so it never becomes durable before them.
    await sql`set local synchronous_commit = off`.execute(tx)
    await takeLock(tx, 'rules', 'shared')
    if (areHeld) await sql`select from product_popularity where product_id = ${productIds[0]!} for update`.execute(tx)
    const isApart = await isDistributed(tx)
    // Counting a product adds to its interactions. Where there are shards, the version of a row says nothing.
    const version = isApart ? sql`p.interaction_count::text` : sql`p.xmin::text`
    // A product without hours in the window has trending 0.
    const { rows: found } = await sql<Computed>`
      select p.product_id as "productId", ${version} as version, coalesce(f.trending, 0) as trending
      from product_popularity p left join (
        select c.product_id, ${trendingOf} as trending
        from product_hour c cross join popularity_rules r ${weighed}
        where c.product_id = any(${productIds}::text[]) and c.hour >= (select edge from popularity_rules)
        group by c.product_id
      ) f using (product_id)
      where p.product_id = any(${productIds}::text[])`.execute(tx)
    return isApart ? writeToShards(tx, found) : writeToFree(tx, productIds, found)
  })
}

interface Computed {
  productId: string
  version: string
  trending: number
}

const columnsOf = (found: readonly Computed[]) =>
  sql`unnest(${found.map((row) => row.productId)}::text[], ${found.map((row) => row.version)}::text[], ${found.map((row) => row.trending)}::float8[])`

async function writeToFree(tx: Queryable, productIds: readonly string[], found: readonly Computed[]): Promise<string[]> {
  const { rows } = await sql<{ productId: string }>`
    with free as materialized (
      select product_id from product_popularity where product_id = any(${productIds}::text[]) order by product_id for update skip locked
    )
    update product_popularity p set trending = found.trending
    from free join ${columnsOf(found)} as found (product_id, version, trending) using (product_id)
    where p.product_id = found.product_id and p.xmin = found.version::xid
    returning p.product_id as "productId"`.execute(tx)
  return rows.map((row) => row.productId)
}

/** Citus lets changes of the same shards take turns, so this waits for counting, and finds what it changed. */
async function writeToShards(tx: Queryable, found: readonly Computed[]): Promise<string[]> {
  const { rows } = await sql<{ productId: string }>`
    with found as materialized (
      select product_id, version::bigint as interactions, trending from ${columnsOf(found)} as f (product_id, version, trending)
    )
    update product_popularity p set trending = found.trending from found
    where p.product_id = found.product_id and p.interaction_count = found.interactions
    returning p.product_id as "productId"`.execute(tx)
  return rows.map((row) => row.productId)
}
