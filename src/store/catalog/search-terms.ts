import { sql } from 'kysely'
import type { SearchProductsRequest } from '../../contract/product-search.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** What a product must have in `product_search`, as texts of a tsquery. */
export interface SearchTerms {
  /** The words of the query and the filters; undefined when there are none. */
  all: string | undefined
  /** Those by which the index finds products; the others are compared with what it found. Undefined when there are none. */
  indexed: string | undefined
  /** Whether one of them is rare, so that the index finds all products fast. */
  isRare: boolean
  /** The filters alone; undefined when there are none. */
  filters: string | undefined
  /** Whether every product is in `product_search`. */
  isComplete: boolean
}

/** Reads the terms of a request. */
export type ReadTerms = (db: Queryable, request: SearchProductsRequest) => Promise<SearchTerms>

/** Words of a query beyond so many are not looked at. A word with hyphens has several. */
const WORDS_MAX = 16
/** To find the products of a word takes 2 µs for each. */
const FREQUENT_MIN = 5_000
/** The index passes over so many entries of a further term while one product is fetched. */
const ENTRIES_PER_PRODUCT = 5
/** Products of a term that is not among the frequent ones, at most, as far as the choice of terms goes. */
const UNKNOWN_PRODUCTS = 1_000
const STATISTICS_MS_MAX = 60_000

/** In how many products a frequent word or filter is, about. */
type Frequencies = readonly (readonly [lexeme: string, products: number])[]

interface Term {
  lexeme: string
  isWord: boolean
}

/** Keeps what PostgreSQL's statistics say of frequent words for a minute. Before the first `analyze` no word is frequent. */
export function createTermReader(): ReadTerms {
  let kept: { frequencies: Frequencies; readMs: number } | undefined
  const frequenciesIn = async (db: Queryable): Promise<Frequencies> => {
    if (kept === undefined || performance.now() - kept.readMs > STATISTICS_MS_MAX) {
      kept = { frequencies: await readFrequencies(db), readMs: performance.now() }
    }
    return kept.frequencies
  }
  return async (db, request) => {
    const { isComplete, lexemes } = await readWords(db, request.query ?? '')
    const words = lexemes.map((lexeme): Term => ({ lexeme, isWord: true }))
    const filters = filtersOf(request)
    const terms = request.query !== undefined && words.length === 0 ? [] : [...words, ...filters]
    const frequencies = terms.length === 0 ? [] : await frequenciesIn(db)
    const counted = terms.map((term) => ({ term, products: productsOf(term, frequencies) }))
    return {
      isComplete,
      all: joined(terms),
      indexed: joined(indexedOf(counted)),
      isRare: counted.some(({ products }) => products <= FREQUENT_MIN),
      filters: joined(filters),
    }
  }
}

/** The rarest term, and those that are worth their entries beside it: a filter that most products have is not. */
function indexedOf(counted: readonly { term: Term; products: number }[]): Term[] {
  const rarest = Math.max(UNKNOWN_PRODUCTS, Math.min(...counted.map(({ products }) => products)))
  return counted.flatMap(({ term, products }) => (products <= ENTRIES_PER_PRODUCT * rarest ? [term] : []))
}

/** As `catalog.product_words` has what a product is. */
function filtersOf({ category, brand, seller_id: sellerId, status }: SearchProductsRequest): Term[] {
  const byMark = { c: category, b: brand, s: sellerId, t: status }
  return Object.entries(byMark).flatMap(([mark, value]) =>
    value === undefined ? [] : [{ lexeme: `\u0001${mark}${value}`, isWord: false }],
  )
}

/** In how many products a term is, as far as statistics have it. A word is the beginning of words, so all of those count. */
function productsOf({ lexeme, isWord }: Term, frequencies: Frequencies): number {
  let sum = 0
  for (const [frequent, products] of frequencies) {
    if (frequent === lexeme || (isWord && frequent.startsWith(lexeme))) sum += products
  }
  return sum
}

async function readWords(db: Queryable, query: string): Promise<{ isComplete: boolean; lexemes: string[] }> {
  const result = await sql<{ isComplete: boolean; lexemes: string[] }>`
    select (select is_complete from catalog.product_search_fill) as "isComplete", array(
      select lexeme from unnest(to_tsvector('pg_catalog.simple', ${query})) order by positions[1] limit ${sql.lit(WORDS_MAX)}) as lexemes`.execute(
    db,
  )
  return onlyRow(result)
}

async function readFrequencies(db: Queryable): Promise<Frequencies> {
  const { rows } = await sql<{ lexeme: string; products: number }>`
    select lexeme, frequency * (select reltuples from pg_class where oid = 'catalog.product_search'::regclass) as products
    from pg_stats s cross join unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) e (lexeme, frequency)
    where s.schemaname = 'catalog' and s.tablename = 'product_search' and s.attname = 'words' and lexeme is not null`.execute(db)
  return rows.map(({ lexeme, products }) => [lexeme, products] as const)
}

/** Words are the beginnings of words. */
function joined(terms: readonly Term[]): string | undefined {
  if (terms.length === 0) return undefined
  return terms.map(({ lexeme, isWord }) => `'${lexeme.replaceAll(/['\\]/g, '$&$&')}'${isWord ? ':*' : ''}`).join(' & ')
}
