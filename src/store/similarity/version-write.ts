import { sql } from 'kysely'
import { float4Array, int4Array } from '../database/binary-array.ts'
import type { RowChunk } from '../../ranking/similarity/row-chunk.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import type { LogSnapshot } from './log-snapshot.ts'
import type { ReadEvents } from './read-log.ts'
import { NotRunningError } from '../runs/run-machine.ts'

/** What a version is, apart from its rows. */
export interface VersionTotals {
  products: number
  shoppers: number
  events: number
  pairs: number
  bots: number
  contentWeight: number
}

/** Begins a version that nothing reads yet. Attempts of a run that overlap write versions of their own. @returns its number. */
export async function beginVersion(
  db: Queryable,
  runId: string,
  read: LogSnapshot & Pick<ReadEvents, 'oldest'>,
  settings: object,
): Promise<number> {
  const { readAt, horizon, batchTo, batchesMissing, merges, mergesTo, eventTypes, oldest } = read
  const result = await sql<{ version: string }>`
    insert into similarity_version (read_at, horizon, merges_to, oldest_at, batch_to, merges, run_id, oldest_event_id, batches_missing, state,
      settings, event_types)
    values (${readAt}, ${horizon}, ${mergesTo}::timestamptz, ${oldest?.at ?? null}::timestamptz, ${batchTo}::bigint, ${merges}::bigint, ${runId}::uuid,
      ${oldest?.eventId ?? null}::uuid, ${batchesMissing}::bigint[], 'building', ${JSON.stringify(settings)}::jsonb, ${eventTypes}::text[])
    returning version`.execute(db)
  return Number(onlyRow(result).version)
}

/** Products with adjacent numbers, and their rows. */
export interface VersionChunk extends RowChunk {
  ids: readonly string[]
  categories: readonly (string | null)[]
  brands: readonly (string | null)[]
}

/** Adds products and their rows to a version. @throws NotRunningError when the version is being deleted. */
export async function writeChunk(db: Database, version: number, chunk: VersionChunk): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await writeProducts(tx, version, chunk)
    await writeRows(tx, version, chunk)
  })
}

async function writeProducts(tx: Queryable, version: number, chunk: VersionChunk): Promise<void> {
  const { first, ids, categories, brands, events, baskets } = chunk
  const { numAffectedRows } = await sql`
    insert into similarity_product (version, product_no, events, baskets, product_id, category, brand)
    select held.version, ${first}::int + p.place - 1, p.events, p.baskets, p.id, p.category, p.brand
    from (${heldVersion(version)}) held cross join
      unnest(${int4Array(events)}::int[], ${int4Array(baskets)}::int[], ${ids}::text[], ${categories}::text[], ${brands}::text[])
        with ordinality as p(events, baskets, id, category, brand, place)`.execute(tx)
  if (numAffectedRows !== BigInt(ids.length)) throw new NotRunningError()
}

/** Each row is a slice of the joined lists. */
async function writeRows(tx: Queryable, version: number, { first, neighbours, content, bought }: RowChunk): Promise<void> {
  const near = sql`r.from_n + 1 : r.to_n`
  const like = sql`r.from_c + 1 : r.to_c`
  const together = sql`r.from_b + 1 : r.to_b`
  await sql`
    insert into similarity_row (version, product_no, neighbour, score, count, back_score, back_count, content, cosine, bought, bought_count)
    select held.version, ${first}::int + r.place - 1,
      (${int4Array(neighbours.numbers)}::int[])[${near}], (${float4Array(neighbours.scores)}::real[])[${near}],
      (${int4Array(neighbours.counts)}::int[])[${near}],
      (${float4Array(neighbours.backScores)}::real[])[${near}], (${int4Array(neighbours.backCounts)}::int[])[${near}],
      (${int4Array(content.numbers)}::int[])[${like}], (${float4Array(content.cosines)}::real[])[${like}],
      (${int4Array(bought.numbers)}::int[])[${together}], (${int4Array(bought.counts)}::int[])[${together}]
    from (${heldVersion(version)}) held cross join (
      select place, n as to_n, c as to_c, b as to_b, coalesce(lag(n) over (order by place), 0) as from_n,
        coalesce(lag(c) over (order by place), 0) as from_c, coalesce(lag(b) over (order by place), 0) as from_b
      from unnest(${int4Array(neighbours.ends)}::int[], ${int4Array(content.ends)}::int[], ${int4Array(bought.ends)}::int[])
        with ordinality as e(n, c, b, place)) r`.execute(tx)
}

/** The version, unless it is being deleted, which then waits for this statement. */
function heldVersion(version: number) {
  return sql`select version from similarity_version where version = ${version} and state = 'building' for share`
}

/** Adds the totals. The version is complete then, and still nothing reads it. */
export async function finishVersion(
  db: Queryable,
  version: number,
  { products, shoppers, events, pairs, bots, contentWeight }: VersionTotals,
): Promise<void> {
  const { hash } = onlyRow(await sql<{ hash: Buffer | null }>`select (${catalogHash(version)}) as hash`.execute(db))
  await sql`
    update similarity_version set products = ${products}, shoppers = ${shoppers}, events = ${events}, pairs = ${pairs}, bots = ${bots},
      content_weight = ${contentWeight}, catalog_sha256 = ${hash}::bytea
    where version = ${version} and state = 'building'`.execute(db)
}

/** A hash of the products of a version, in order. Null for none. Costs a scan of them. */
export function catalogHash(version: number | bigint | ReturnType<typeof sql>) {
  return sql`
    select sha256(convert_to(string_agg(row(product_no, product_id, category, brand)::text, ',' order by product_no), 'UTF8'))
    from similarity_product where version = ${version}`
}
