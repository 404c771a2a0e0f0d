import { sql } from 'kysely'
import { comparedAggregate, exact } from './drift.ts'

/** Products that the fill has not reached are not there yet. */
const IS_FILLED = sql`(select is_complete or product_id <= filled_to from catalog.product_search_fill)`

/** The words and the kind of each product, by the catalog alone. Written without the function of the triggers. */
export const PRODUCT_SEARCH = comparedAggregate({
  table: 'catalog.product_search',
  key: ['product_id'],
  stored: sql`select product_id, words from catalog.product_search where ${IS_FILLED}`,
  expected: sql`
    select product_id, (
      select array_to_tsvector(array_agg(term)) from (
        select lexeme from unnest(to_tsvector('pg_catalog.simple', name))
        union all
        select E'\x01' || mark || value from (values ('c', category), ('b', brand), ('s', seller_id), ('t', status)) kind (mark, value)
        where value is not null
      ) terms (term)
    ) as words
    from catalog.product where ${IS_FILLED}`,
  cells: [exact('words')],
})
