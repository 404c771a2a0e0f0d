import { sql } from 'kysely'
import { CatalogProduct } from '../../contract/product.ts'
import { instantOf } from '../../contract/fields/time.ts'
import { type Call, callIdOf } from '../log/call.ts'
import { countedCall } from '../log/ingest.ts'
import { columnOf } from '../database/column.ts'
import { awaitTrace, traced } from '../log/recorded-call.ts'
import type { Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { utc } from '../database/json.ts'
import { onlyRow } from '../database/rows.ts'
import { inTransaction } from '../database/transaction.ts'
import type { ProductVersion } from '../../admission/product.ts'
import { CHANGED_COLUMNS, crossAlerts, PRODUCT_EFFECTS, STOCK_BEFORE, type StockBefore } from './product-effects.ts'

/**
 * Updates the catalog. The newest version of each product stays, whatever the order of the versions and calls. Costs a sort of the
 * versions and an index probe per product.
 * @returns the indexes of the versions that changed the catalog, the same for every attempt of a call, unless a newer version
 *   arrived in between.
 */
export async function upsertProducts(
  db: Queryable,
  call: Call,
  versions: readonly ProductVersion[],
  /** How many others of the call were rejected. */
  rejected = 0,
): Promise<number[]> {
  if (await isDistributed(db)) return inTransaction(db, (tx) => upsertWithEffects(tx, call, versions, rejected))
  const { rows } = await sql<{ index: number }>`
    with ${upsertOf(call, versions)}, ${countedUpsert(call, { versions: versions.length, rejected })}, ${traced(call)}
    select newest.index from changed join newest using (product_id)`.execute(db)
  // It may be a repeated attempt. One that changes rows writes them again, and waits for standbys by that.
  if (rows.length === 0) await awaitTrace(db, call)
  return rows.map(({ index }) => index)
}

/** The same where no trigger does what follows from products. */
async function upsertWithEffects(
  tx: Queryable,
  call: Call,
  versions: readonly ProductVersion[],
  rejected: number,
): Promise<number[]> {
  const result = await sql<{ indexes: number[]; before: StockBefore }>`
    with ${upsertOf(call, versions, { hasTriggers: false })}, ${countedUpsert(call, { versions: versions.length, rejected })}
    select (select coalesce(json_agg(newest.index), '[]') from changed join newest using (product_id)) as indexes,
      ${STOCK_BEFORE} as before`.execute(tx)
  const { indexes, before } = onlyRow(result)
  await crossAlerts(tx, before)
  return indexes
}

/** The parts of the statement that count what came in. */
export function countedUpsert(call: Call, of: { versions: number; rejected: number }, condition = sql`true`) {
  return countedCall(
    call,
    'product',
    sql`
      select c.changed as accepted, ${of.versions}::int - c.changed as duplicates, ${of.rejected}::int as rejected
      from (select count(*)::int as changed from changed) c where ${condition}`,
  )
}

/**
 * The parts of the statement, `newest` and `changed`, for one that does more in the same round trip. They do nothing unless the condition holds.
 * Without triggers there are further parts that do what they do, and `changed` has the columns that these need.
 * JSON is made only for versions of the same time, because making it for all took a quarter of the statement's time. Rows are written
 * in key order, because two calls with common products would otherwise deadlock.
 */
export function upsertOf(
  call: Call,
  versions: readonly ProductVersion[],
  { condition = sql`true`, hasTriggers = true }: { condition?: ReturnType<typeof sql>; hasTriggers?: boolean } = {},
) {
  const [wins, textOf] = hasTriggers ? [winsTies, jsonOf] : [isDeleted, versionTextOf]
  return sql`
    newest as (
      select distinct on (g.product_id) g.*
      from (select *, count(*) over (partition by product_id, updated_at) as twins from (${rowsAsTable(versions)}) v) g
      order by g.product_id, g.updated_at desc, ${winsTies('g')} desc, case when g.twins > 1 then ${jsonOf('g')} end desc, g.index
    ), changed as (
      insert into catalog.product as p (call_id, ${COLUMNS})
      select ${callIdOf(call)}::uuid, ${COLUMNS} from newest where ${condition} order by product_id
      on conflict (product_id) do update set
        (call_id, ${COLUMNS}) = (excluded.call_id, ${columnsOf('excluded')})
      where excluded.updated_at > p.updated_at
        or (excluded.updated_at = p.updated_at
          and (${wins('excluded')}, ${textOf('excluded')}) > (${wins('p')}, ${textOf('p')}))
        or excluded.call_id = p.call_id
      returning ${hasTriggers ? sql`p.product_id` : CHANGED_COLUMNS}
    )${hasTriggers ? sql`` : sql`, ${PRODUCT_EFFECTS}`}`
}

/**
 * The indexes of versions that differ from the catalog's version of the same time. To be called with versions that did not change the
 * catalog. Costs an index probe for each, and JSON for those of the same time.
 */
export async function staleVersions(db: Queryable, versions: readonly ProductVersion[]): Promise<number[]> {
  const { rows } = await sql<{ index: number }>`
    select v.index from (${rowsAsTable(versions)}) v join catalog.product p using (product_id)
    where p.updated_at = v.updated_at and ${jsonOf('p')} <> ${jsonOf('v')}
    order by v.index`.execute(db)
  return rows.map(({ index }) => index)
}

/** One product; undefined when the catalog does not have it. */
export async function catalogProduct(db: Queryable, productId: string): Promise<CatalogProduct | undefined> {
  const { rows } = await sql<{ json: string }>`
    select ${jsonOf('p')} as json from catalog.product p where p.product_id = ${productId}`.execute(db)
  return rows[0] && (JSON.parse(rows[0].json) as CatalogProduct)
}

/** The columns of a version, in the order of the contract's fields. */
const NAMES = Object.keys(CatalogProduct.shape)
const COLUMNS = sql.raw(NAMES.join(', '))

function columnsOf(alias: 'excluded') {
  return sql.raw(NAMES.map((name) => `${alias}.${name}`).join(', '))
}

/** Whether a version wins against those of the same time that are not deleted. By the rule of the release before none does. */
function winsTies(alias: 'g' | 'p' | 'excluded') {
  return sql.raw(`(${alias}.status = 'deleted' and (select rule from product_tie_rule) >= 2)`)
}

/** The same where rule 2 is in force: Citus refuses a subquery where rows conflict. */
function isDeleted(alias: 'g' | 'p' | 'excluded') {
  return sql.raw(`(${alias}.status = 'deleted')`)
}

/** The JSON of `jsonOf` by a function that is marked immutable, because Citus refuses any other where rows conflict. */
function versionTextOf(alias: 'p' | 'excluded') {
  return sql.raw(`(catalog.version_text(${NAMES.map((name) => `${alias}.${name}`).join(', ')}) collate "C")`)
}

/**
 * A version as the JSON of a CatalogProduct, with its fields in a fixed order and without empty ones. Between two versions of the same
 * time that are both deleted, or both not, the larger JSON wins, compared byte by byte.
 */
function jsonOf(alias: 'g' | 'p' | 'v' | 'excluded') {
  const pairs = NAMES.map(
    (name) => `'${name}', ${name === 'updated_at' ? `${utc(`${alias}.${name}`)}::json` : `${alias}.${name}`}`,
  )
  return sql.raw(`(json_strip_nulls(json_build_object(${pairs.join(', ')}))::text collate "C")`)
}

/** A product p as the JSON of a CatalogProduct. */
export const PRODUCT_JSON = jsonOf('p')

/** The versions as a table, one array per column: the statement's text does not depend on their number. */
function rowsAsTable(versions: readonly ProductVersion[]) {
  const column = (valueOf: (version: ProductVersion) => string | number | null) => columnOf(versions, valueOf)
  return sql`
    select index, product_id collate "C" as product_id, seller_id, name, category, brand, price, currency, quantity, status, updated_at
    from unnest(
      ${column((version) => version.index)}::int[], ${column((version) => version.productId)}::text[],
      ${column((version) => version.sellerId)}::text[], ${column((version) => version.name)}::text[],
      ${column((version) => version.category)}::text[], ${column((version) => version.brand)}::text[],
      ${column((version) => version.price)}::bigint[], ${column((version) => version.currency)}::text[],
      ${column((version) => version.quantity)}::bigint[], ${column((version) => version.status)}::text[],
      ${column((version) => instantOf(version.updatedAtMs))}::timestamptz[])
      as row(index, product_id, seller_id, name, category, brand, price, currency, quantity, status, updated_at)`
}
