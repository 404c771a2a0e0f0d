import type { RowResult } from '../measure/claim.ts'
import { FULL, growthOf, QUICK } from './after-growth.bench.ts'

const LONG = { ...FULL, large: 20_000_000, rounds: 3, min: 0.85 }

/** As `after-growth`, with the log of a shop of some years, which takes half an hour to fill. */
export function afterLongGrowth(isQuick: boolean): Promise<RowResult> {
  return growthOf(isQuick ? QUICK : LONG)
}
