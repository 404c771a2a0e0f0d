import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { type ReadRun, STATIC_ITEMS } from '../measure/read-run.ts'
import { median, ratioOf } from '../measure/rounds.ts'
import { storeShopLog, storeVersion } from '../items/shop-log.ts'
import { latencyOf, ratesOf, readAgainstStatic } from '../rivals/against-static.ts'

const FULL = { products: 100_000, events: 1_000_000, shoppers: 200_000, seconds: 4, rounds: 5 }
const QUICK = { products: 2_000, events: 60_000, shoppers: 12_000, seconds: 0.2, rounds: 1 }
const RATIO_MIN = 0.3
/** So many that few concurrent requests are equal. */
const PAGES = 5_000

/** What is asked for: products as visits have them, and any product alike, of which most rows are not in memory. */
const NAMES = { visited: 'products as shoppers visit them', any: 'any product' } as const
type Name = keyof typeof NAMES

/** Lists of similar products against a static page. */
export async function similar(isQuick: boolean): Promise<RowResult> {
  const { products, events, shoppers, ...size } = isQuick ? QUICK : FULL
  const pathOf = (number: number) => `/api/v1/products/p-${number}/similar?limit=${STATIC_ITEMS}`
  const visited = () => 1 + Math.floor(products * Math.random() ** 3)
  const pages = (path: () => string) => Array.from({ length: PAGES }, path)
  const runs = await readAgainstStatic({
    ...{ ...size, products, settings: {} },
    prepare: async (db) => {
      await storeShopLog(db, { events, products, shoppers })
      await storeVersion(db)
    },
    paths: {
      visited: pages(() => pathOf(visited())),
      any: pages(() => pathOf(1 + Math.floor(products * Math.random()))),
    },
  })
  const names = Object.keys(NAMES) as Name[]
  return {
    claims: claimsOfRounds(runs, (rounds) => names.flatMap((name) => claimsOf(rounds, name, { products, events }))),
    measured: runs,
  }
}

function claimsOf(
  runs: Record<'fixed' | Name, ReadRun[]>,
  name: Name,
  { products, events }: { products: number; events: number },
): Claim[] {
  const [rates, fixed] = [ratesOf(runs[name]), ratesOf(runs.fixed)]
  return [
    {
      what: `products/{id}/similar of ${formatted(products)} products and ${formatted(events)} events, ${NAMES[name]}, 32 connections: answers/s ÷ a static page`,
      measured: ratioOf(rates, fixed),
      target: { min: RATIO_MIN },
      detail: `${formatted(median(rates))} answers/s against ${formatted(median(fixed))}; p50 ${formatted(latencyOf(runs[name], 'p50'))} ms, p99 ${formatted(latencyOf(runs[name], 'p99'))} ms`,
    },
  ]
}
