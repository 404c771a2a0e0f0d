import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { NO_RESTATE, type ReadRun, readRun, STATIC_ITEMS } from '../measure/read-run.ts'
import { interleaved, median, series } from '../measure/rounds.ts'
import { LARGE_SHOP, largeShop, SMALL_SHOP, WORDS } from '../items/large-shop.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { withParts } from '../servers/bench-stack.ts'
import { startLoad } from '../client/start-load.ts'

const FULL = { shop: LARGE_SHOP, seconds: 1.5, rounds: 3 }
const QUICK = { shop: SMALL_SHOP, seconds: 0.3, rounds: 1 }
const CONNECTIONS = 8
const P99_MS_MAX = 50
const PATH = '/api/v1/catalog/products'

/** Searches of a catalog: words that few names have, beginnings of words, words that most names have, ids, and filters. */
const pathsOf = (products: number) => ({
  'rare word': each((n) => `query=word${products < 100_000 ? 100 + n : WORDS - 500 + n}`),
  'two beginnings': each((n) => `query=word${1 + (n % 9)}%20wor`),
  'three beginnings': each((n) => `query=wor%20word${1 + (n % 9)}%20word${1 + ((n * 7) % 9)}`),
  'frequent word': each(() => 'query=word1'),
  id: each((n) => `query=p-${100 + n}`),
  'beginning of ids': each((n) => `query=p-${1 + (n % 9)}`),
  category: each((n) => `category=c-${n}`),
  'active of a category': each((n) => `category=c-${n}&status=active`),
  'category and word': each((n) => `category=c-${n}&query=word`),
  'word and status': each((n) => `query=word${1 + n}&status=active`),
  'word and hidden': each((n) => `query=word${1 + (n % 9)}&status=hidden`),
  seller: each((n) => `seller_id=s-${n}&status=active`),
  hidden: each(() => 'status=hidden'),
  'never seen': each(() => 'seen=false'),
  'never seen of a category': each((n) => `category=c-${n}&seen=false`),
})

function each(queryOf: (n: number) => string): string[] {
  return Array.from({ length: 100 }, (_, n) => `${PATH}?${queryOf(n)}&limit=${STATIC_ITEMS}`)
}

type Name = keyof ReturnType<typeof pathsOf>

export function catalogSearch(isQuick: boolean, only: RegExp): Promise<RowResult> {
  const { shop, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const { databaseUrl } = await largeShop(shop)
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE }))
    const load = stopAtEnd(startLoad())
    const all = Object.entries(pathsOf(shop.products)) as [Name, string[]][]
    const ways = all.flatMap(([name, paths]) => {
      if (!only.test(name)) return []
      const pages = paths.map((path) => ({ path, items: STATIC_ITEMS }))
      return [[name, () => readRun(load, gateway.url, { pages, connections: CONNECTIONS, secondsMax: seconds })] as const]
    })
    const runs = await interleaved(Object.fromEntries(ways) as Record<Name, () => Promise<ReadRun>>, rounds)
    return { claims: claimsOfRounds(runs, (rounds) => [claimOf(rounds, shop.products)]), measured: runs }
  })
}

function claimOf(runs: Record<Name, ReadRun[]>, products: number): Claim {
  const names = Object.keys(runs) as Name[]
  const p99 = (name: Name) => median(series(runs[name], (run) => run.latency.p99))
  const rate = (name: Name) => median(series(runs[name], (run) => run.perSecond))
  return {
    what: `catalog/products of ${products.toLocaleString('en')} products, ${CONNECTIONS} connections, each kind of search: the slowest p99`,
    measured: Math.max(...names.map(p99)),
    unit: 'ms',
    target: { max: P99_MS_MAX },
    detail: names.map((name) => `${name} ${formatted(p99(name))} (${formatted(rate(name))}/s)`).join(', '),
  }
}
