import { sql } from 'kysely'
import { nextSize } from '../database/chunks.ts'
import type { Database } from '../database/connection.ts'

const CHUNK = { targetMs: 100, sizeMin: 100, sizeMax: 5_000 }
const FIRST_SIZE = 500
/** So that a step of the journal ends within seconds. */
const CHUNKS_MAX = 20

/**
 * Adds products that were there before the search, from the position that is stored, in chunks of some 100 ms. Products that are written meanwhile are
 * added by triggers. Concurrent calls take turns. @returns whether products are left.
 */
export async function fillSearch(db: Database): Promise<boolean> {
  let size = FIRST_SIZE
  for (let chunk = 0; chunk < CHUNKS_MAX; chunk++) {
    const startedMs = performance.now()
    if (!(await fillSome(db, size))) return false
    size = nextSize(size, performance.now() - startedMs, CHUNK)
  }
  return true
}

/** Locks the products, because one that is deleted meanwhile would stay in the search. Writers of products do not wait for such a lock. */
function fillSome(db: Database, count: number): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ filledTo: string }>`
      select filled_to as "filledTo" from catalog.product_search_fill where not is_complete for update`.execute(tx)
    const after = rows[0]?.filledTo
    if (after === undefined) return false
    const { rows: filled } = await sql<{ productId: string }>`
      with behind as materialized (
        select product_id, name, category, brand, seller_id, status from catalog.product
        where product_id > ${after} order by product_id limit ${count} for key share
      ), added as (
        insert into catalog.product_search (product_id, words)
        select product_id, catalog.product_words(name, category, brand, seller_id, status) from behind order by product_id
        on conflict (product_id) do nothing
      )
      select max(product_id) as "productId" from behind`.execute(tx)
    const last = filled[0]?.productId ?? null
    await sql`
      update catalog.product_search_fill
      set filled_to = coalesce(${last}::text, filled_to), is_complete = ${last === null}`.execute(tx)
    return last !== null
  })
}
