import { latencyOf, ratesOf, readAgainstStatic } from '../rivals/against-static.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { type ReadRun, STATIC_ITEMS, TOP_PATH } from '../measure/read-run.ts'
import { ratioOf, median } from '../measure/rounds.ts'

const FULL = { products: 1_000_000, seconds: 5, rounds: 5 }
const QUICK = { products: 50_000, seconds: 1, rounds: 1 }

/** The top list without a cache, against a static page. */
export async function top(isQuick: boolean): Promise<RowResult> {
  const size = isQuick ? QUICK : FULL
  const paths = { top: [`${TOP_PATH}?limit=${STATIC_ITEMS}`] }
  const runs = await readAgainstStatic({ ...size, settings: { TOP_CACHE_MS: '0' }, paths })
  return { claims: claimsOfRounds(runs, (rounds) => claimsOf(rounds, size.products)), measured: runs }
}

function claimsOf({ fixed, top: read }: Record<'fixed' | 'top', ReadRun[]>, products: number): Claim[] {
  return [
    {
      what: `popularity/top of ${products.toLocaleString('en')} products, no cache, 32 connections ÷ a static page`,
      measured: ratioOf(ratesOf(read), ratesOf(fixed)),
      target: { min: 0.5 },
      detail: `${formatted(median(ratesOf(read)))} answers/s against ${formatted(median(ratesOf(fixed)))}`,
    },
    {
      what: '— p99',
      measured: latencyOf(read, 'p99'),
      unit: 'ms',
      target: { max: 15 },
      detail: `p50 ${formatted(latencyOf(read, 'p50'))} ms; of the static page ${formatted(latencyOf(fixed, 'p99'))} and ${formatted(latencyOf(fixed, 'p50'))} ms`,
    },
  ]
}
