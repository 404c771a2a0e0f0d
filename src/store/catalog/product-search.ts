import { sql } from 'kysely'
import { invalidField } from '../../contract/decided-error.ts'
import type { FoundProduct, SearchOrder, SearchProductsRequest, SearchProductsResponse } from '../../contract/product-search.ts'
import type { Queryable } from '../database/connection.ts'
import { utc } from '../database/json.ts'
import { PRODUCT_JSON } from './catalog-product.ts'
import { allById, BY_ID, byScore, type FoundId, nextById } from './found-products.ts'
import { cursorOf, startOf } from './product-search-cursor.ts'
import { createTermReader, type SearchTerms } from './search-terms.ts'

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

async function answerOf(
  db: Queryable,
  request: SearchProductsRequest,
  { isComplete }: SearchTerms,
  { order, found }: { order: SearchOrder; found: readonly FoundId[] },
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
async function productsOf(db: Queryable, found: readonly FoundId[]): Promise<FoundProduct[]> {
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
