import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { latencyOf, ratesOf, readAgainstStatic } from '../rivals/against-static.ts'
import { formatted, type RowResult } from '../measure/claim.ts'
import { STATIC_ITEMS } from '../measure/read-run.ts'
import { median } from '../measure/rounds.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

const FULL = { products: 1_000_000, seconds: 2, rounds: 5 }
const QUICK = { products: 20_000, seconds: 0.2, rounds: 1 }
const CONNECTIONS = 8
const P99_MS_MAX = 50
const PATH = '/api/v1/catalog/products'
/** Words of names; the first ones are in most of them, as in a shop. */
const WORDS = 5_000

/** Searches of a catalog: words that few names have, beginnings of words, words that most names have, ids, and filters. */
const pathsOf = (products: number) => ({
  'rare word': each((n) => `query=word${products < 100_000 ? 100 + n : WORDS - 500 + n}`),
  'two beginnings': each((n) => `query=word${1 + (n % 9)}%20wor`),
  'frequent word': each(() => 'query=word1'),
  id: each((n) => `query=p-${100 + n}`),
  category: each((n) => `category=c-${n}`),
  'category and word': each((n) => `category=c-${n}&query=word`),
  seller: each((n) => `seller_id=s-${n}&status=active`),
  hidden: each(() => 'status=hidden'),
  'never seen': each(() => 'seen=false'),
})

function each(queryOf: (n: number) => string): string[] {
  return Array.from({ length: 100 }, (_, n) => `${PATH}?${queryOf(n)}&limit=${STATIC_ITEMS}`)
}

type Name = keyof ReturnType<typeof pathsOf>

export async function catalogSearch(isQuick: boolean, only: RegExp): Promise<RowResult> {
  const size = isQuick ? QUICK : FULL
  const all = pathsOf(size.products)
  const names = (Object.keys(all) as Name[]).filter((name) => only.test(name))
  const paths = Object.fromEntries(names.map((name) => [name, all[name]])) as Record<Name, string[]>
  const runs = await readAgainstStatic({ ...size, connections: CONNECTIONS, prepare: storeCatalog, settings: {}, paths })
  const p99 = (name: Name) => latencyOf(runs[name], 'p99')
  const slowest = names.toSorted((one, other) => p99(other) - p99(one))[0]!
  const claim = {
    what: `catalog/products of ${size.products.toLocaleString('en')} products, ${CONNECTIONS} connections, each kind of search: the slowest p99`,
    measured: p99(slowest),
    unit: 'ms',
    target: { max: P99_MS_MAX },
    detail: names.map((name) => `${name} ${formatted(p99(name))} (${formatted(median(ratesOf(runs[name])))}/s)`).join(', '),
  }
  return { claims: [claim], measured: runs }
}

/** Names the products that have events, and adds a fifth that has none. The word n is in some 3 / n of a hundred names. */
async function storeCatalog(db: Database): Promise<void> {
  await withoutTimeout(db, async (unlimited) => {
    await sql`
      insert into catalog.product (product_id, name, seller_id, category, brand, price, currency, quantity, status, updated_at, call_id)
      select product_id, name, 's-' || n % greatest(1, count / 200), 'c-' || n % 300, 'b-' || n % 900, n % 10000, 'EUR', n % 500,
        case when n % 49 = 0 then 'deleted' when n % 97 = 0 then 'hidden' else 'active' end, '2026-01-01', gen_random_uuid()
      from (
        select product_id, n, count, (
          select string_agg('word' || floor(power(${WORDS}::float8, ((n * 7919 + place * 104729) % 100003) / 100003.0)), ' ')
          from generate_series(1, 3 + n % 3) place) as name
        from (
          select product_id, row_number() over () as n, count(*) over () as count from product_popularity
          union all
          select 'unseen-' || x, x + 7, c.count from (select count(*) as count from product_popularity) c, generate_series(1, c.count / 5) x
        ) numbered
      ) named`.execute(unlimited)
    await sql`vacuum (analyze) catalog.product, catalog.product_search`.execute(unlimited)
  })
}
