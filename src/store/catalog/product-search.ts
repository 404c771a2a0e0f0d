import { createHash } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import { invalidField } from '../../contract/decided-error.ts'
import {
  type FoundProduct,
  SCORED_MAX,
  type SearchOrder,
  type SearchProductsRequest,
  type SearchProductsResponse,
} from '../../contract/product-search.ts'
import type { Queryable } from '../database/connection.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import { utc } from '../database/json.ts'
import { onlyRow } from '../database/rows.ts'
import { PRODUCT_JSON } from './catalog-product.ts'
import { createTermReader, type SearchTerms } from './search-terms.ts'

/** Where a page ended. The order of the first page is that of all its pages. */
interface Position {
  order: SearchOrder
  /** In millionths, as a text; null for a product without events. */
  score: string | null
  productId: string
}

interface Found {
  productId: string
  score: string | null
}

/**
 * Products that are passed over, in the order of ids, before an index finds all that match. Beside a rare term it finds them in a few
 * milliseconds, and without one in a hundred.
 */
const PASSED_MAX = { rare: 10_000, frequent: 20_000 }

export interface ProductSearch {
  /**
   * The answer, when it costs a few milliseconds: few products match, or the next ones by id are near. Undefined when all products with
   * frequent words must be found. @throws DecidedError for a cursor of another search
   */
  quick: (db: Queryable, request: SearchProductsRequest) => Promise<SearchProductsResponse | undefined>
  /** The answer by id from all products that match. Costs 0.2 µs for each product of the terms that the index looks for, and 2 µs for each that it finds. */
  whole: (db: Queryable, request: SearchProductsRequest) => Promise<SearchProductsResponse>
}

export function createProductSearch(): ProductSearch {
  const readTerms = createTermReader()
  return {
    quick: async (db, request) => {
      const after = startOf(request)
      const terms = await readTerms(db, request)
      const scored = after?.order === 'product_id' ? BY_ID : await byScore(db, request, terms, after)
      if (scored.found !== undefined) return answerOf(db, request, terms, { order: 'score', found: scored.found })
      if (after?.order === 'score')
        throw invalidField('cursor', 'is of a search that finds many more products by now: begin again')
      const find = scored.haveFewWords ? allById : nextById
      const found = await find(db, request, terms, after?.productId ?? '')
      return found && answerOf(db, request, terms, { order: 'product_id', found })
    },
    whole: async (db, request) => {
      const terms = await readTerms(db, request)
      const found = await allById(db, request, terms, startOf(request)?.productId ?? '')
      return answerOf(db, request, terms, { order: 'product_id', found })
    },
  }
}

/** The next products by id; undefined when they are far and all products with frequent words must be found. */
async function nextById(
  db: Queryable,
  request: SearchProductsRequest,
  terms: SearchTerms,
  after: string,
): Promise<Found[] | undefined> {
  const isByWords = terms.all !== undefined || request.query === undefined
  const near = isByWords ? await nearById(db, request, terms, after) : undefined
  if (near !== undefined) return near
  return terms.isRare || !isByWords ? allById(db, request, terms, after) : undefined
}

interface Scored {
  /** Undefined when more than 1,000 products match, or may match. */
  found: Found[] | undefined
  /** Whether at most 1,000 match by their words, and the others by their ids. */
  haveFewWords: boolean
}

const BY_ID: Scored = { found: undefined, haveFewWords: false }

/** The next products by score. */
async function byScore(
  db: Queryable,
  request: SearchProductsRequest,
  terms: SearchTerms,
  after: Position | undefined,
): Promise<Scored> {
  if (after === undefined && !terms.isRare && terms.all !== undefined) return BY_ID
  const max = after === undefined ? SCORED_MAX : 2 * SCORED_MAX
  const first = sql`limit ${sql.lit(max + 1)}`
  const result = await sql<{ byWords: number; matches: number; found: Found[] }>`
    with named as materialized (${named(request)} ${first}), worded as materialized (${worded(request, terms)} ${first}),
    few as materialized (select product_id from named union select product_id from worded), page as (
      select few.product_id, k.score_micros from few left join product_popularity k using (product_id)
      where (select count(*) from few) <= ${sql.lit(max)} and ${isSeen(request, sql`few.product_id`)} and ${isBeyond(after)}
      order by k.score_micros desc nulls last, few.product_id limit ${request.limit + 1}
    )
    select (select count(*)::int from worded) as "byWords", (select count(*)::int from few) as matches,
      coalesce(json_agg(json_build_object(
        'productId', product_id, 'score', score_micros::text) order by score_micros desc nulls last, product_id), '[]') as found
    from page`.execute(db)
  const { byWords, matches, found } = onlyRow(result)
  return { found: matches > max ? undefined : found, haveFewWords: byWords <= max }
}

/** Products whose id begins with the query. By the catalog itself, so that they are found while the search is being filled. */
function named({ query, category, brand, seller_id: sellerId, status }: SearchProductsRequest): RawBuilder<unknown> {
  if (query === undefined) return NONE
  const conditions = Object.entries({ category, brand, seller_id: sellerId, status }).flatMap(([column, value]) =>
    value === undefined ? [] : [sql`x.${sql.ref(column)} = ${value}`],
  )
  return sql`select x.product_id from catalog.product x where ${sql.join([beginsWith(query), ...conditions], sql` and `)}`
}

/** The next ones of them, which are a range of the key. */
function nextNamed(request: SearchProductsRequest, after: string): RawBuilder<unknown> {
  if (request.query === undefined) return NONE
  return sql`${named(request)} and x.product_id > ${after} and ${isSeen(request, sql`x.product_id`)}
    order by x.product_id limit ${request.limit + 1}`
}

const NONE = sql`select null::text collate "C" as product_id where false`

/** A range of the key. */
function beginsWith(query: string): RawBuilder<unknown> {
  return sql`x.product_id ^@ ${query}`
}

/** Products whose words match. */
function worded({ query }: SearchProductsRequest, { all, indexed, isComplete }: SearchTerms): RawBuilder<unknown> {
  if (all === undefined) return query === undefined ? everyProduct(isComplete) : NONE
  // As it is written, the index is not asked for the others: it would read every entry of them.
  const others = indexed === all ? sql`` : sql`and (words @@ ${all}::tsquery) is true`
  return sql`select product_id from catalog.product_search where words @@ ${indexed}::tsquery ${others}`
}

function everyProduct(isComplete: boolean): RawBuilder<unknown> {
  return isComplete ? sql`select product_id from catalog.product_search` : sql`select product_id from catalog.product`
}

/** The next products by id; undefined when the page does not fill from the products that are passed over. */
async function nearById(
  db: Queryable,
  request: SearchProductsRequest,
  terms: SearchTerms,
  after: string,
): Promise<Found[] | undefined> {
  const limit = request.limit + 1
  const passed = sql.lit(terms.isRare ? PASSED_MAX.rare : PASSED_MAX.frequent)
  const { rows } = await sql<Found>`
    with named as materialized (${terms.isComplete ? NONE : nextNamed(request, after)}), near as (
      select x.product_id from (${inOrder(request, after)} limit ${passed}) x where ${matches(request, terms)} and ${isSeen(request, sql`x.product_id`)} order by x.product_id limit ${limit}
    )
    select product_id as "productId", null as score from (select product_id from named union select product_id from near) found
    order by product_id limit ${limit}`.execute(db)
  if (rows.length === limit) return rows
  // Beside a rare term it costs no more to find all.
  return !terms.isRare && (await isNearEnd(db, inOrder(request, after), passed)) ? rows : undefined
}

/** Whether a row x of product_search matches. */
function matches({ query }: SearchProductsRequest, { all, filters }: SearchTerms): RawBuilder<unknown> {
  const words = all === undefined ? sql`${query === undefined}::boolean` : sql`x.words @@ ${all}::tsquery`
  if (query === undefined) return words
  const isOfFilters = filters === undefined ? sql`true` : sql`x.words @@ ${filters}::tsquery`
  return sql`(${words} or (${beginsWith(query)} and ${isOfFilters}))`
}

/** Products with their words, in the order of ids. Few are hidden or deleted, and an index of the catalog has those. */
function inOrder({ status }: SearchProductsRequest, after: string): RawBuilder<unknown> {
  if (status === undefined || status === 'active')
    return sql`select product_id, words from catalog.product_search where product_id > ${after} order by product_id`
  return sql`
    select u.product_id, s.words from catalog.product u
      cross join lateral (select words from catalog.product_search w where w.product_id = u.product_id offset 0) s
    where u.status <> 'active' and u.product_id > ${after} order by u.product_id`
}

/** Whether no product is left behind those that were passed over. */
async function isNearEnd(db: Queryable, products: RawBuilder<unknown>, passed: RawBuilder<unknown>): Promise<boolean> {
  const { rows } = await sql`select from (${products} offset ${passed} limit 1) x`.execute(db)
  return rows.length === 0
}

/** The next products by id, from all that match. */
async function allById(db: Queryable, request: SearchProductsRequest, terms: SearchTerms, after: string): Promise<Found[]> {
  const isAll = terms.all === undefined && request.query === undefined
  const found = isAll ? sql`catalog.product_search` : sql`(select product_id from worded union select product_id from named)`
  const { rows } = await sql<Found>`
    with named as materialized (${nextNamed(request, after)}),
      worded as materialized (${worded(request, terms)})
    select product_id as "productId", null as score from ${found} x
    where product_id > ${after} and ${isSeen(request, sql`x.product_id`)} order by product_id limit ${request.limit + 1}`.execute(
    db,
  )
  return rows
}

function isSeen({ seen }: SearchProductsRequest, productId: RawBuilder<unknown>): RawBuilder<unknown> {
  if (seen === undefined) return sql`true`
  return sql`${seen ? sql`` : sql`not`} exists (select from product_popularity seen where seen.product_id = ${productId})`
}

/** Whether a row few with its popularity k comes after a position. */
function isBeyond(after: Position | undefined): RawBuilder<unknown> {
  if (after === undefined) return sql`true`
  const isLater = sql`few.product_id > ${after.productId}`
  if (after.score === null) return sql`k.score_micros is null and ${isLater}`
  const score = sql`${after.score}::bigint`
  return sql`(k.score_micros is null or k.score_micros < ${score} or (k.score_micros = ${score} and ${isLater}))`
}

async function answerOf(
  db: Queryable,
  request: SearchProductsRequest,
  { isComplete }: SearchTerms,
  { order, found }: { order: SearchOrder; found: readonly Found[] },
): Promise<SearchProductsResponse> {
  const shown = found.slice(0, request.limit)
  const last = found.length > request.limit ? shown.at(-1) : undefined
  return {
    data: await productsOf(db, shown),
    meta: {
      search: isComplete ? 'full_text' : 'filling',
      order,
      next_cursor: last === undefined ? null : cursorOf(request, { order, ...last }),
    },
  }
}

/** Without products that were deleted since they were found. */
async function productsOf(db: Queryable, found: readonly Found[]): Promise<FoundProduct[]> {
  if (found.length === 0) return []
  const ids = found.map(({ productId }) => productId)
  const { rows } = await sql<{ product: FoundProduct; interactions: FoundProduct['interactions'] }>`
    select ${PRODUCT_JSON}::json as product, case when k.product_id is not null then json_build_object(
      'events', k.interaction_count, 'score', k.score_micros::float8 / 1e6,
      'last_interaction', ${sql.raw(utc('k.last_interaction'))}::json) end as interactions
    from unnest(${ids}::text[]) with ordinality f (product_id, place) join catalog.product p using (product_id)
      left join product_popularity k using (product_id) order by f.place`.execute(db)
  return rows.map(({ product, interactions }) => ({ ...product, interactions }))
}

const SEARCH = 'catalog search'

/** A hash of everything that all pages of a search share. */
function questionOf({ query, category, brand, seller_id: sellerId, status, seen }: SearchProductsRequest): string {
  const parts = [query, category, brand, sellerId, status, seen].map((part) => part ?? null)
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 11)
}

function cursorOf(request: SearchProductsRequest, { order, score, productId }: Position): string {
  return encodeCursor(SEARCH, [questionOf(request), order, score ?? '', productId])
}

function startOf(request: SearchProductsRequest): Position | undefined {
  if (request.cursor === undefined) return undefined
  const [question, order, score = '', productId] = decodeCursor(SEARCH, request.cursor) ?? []
  const isOrder = order === 'score' || order === 'product_id'
  if (question !== questionOf(request) || !isOrder || !/^(-?\d{1,18})?$/.test(score) || productId === undefined) {
    throw invalidField('cursor', 'is not a cursor of this search')
  }
  return { order, score: score === '' ? null : score, productId }
}
