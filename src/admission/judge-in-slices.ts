import { setImmediate as otherWork } from 'node:timers/promises'
import type { Judged } from './judge-each.ts'

/** Some 5 ms. The 10,000 items of the largest call keep a processor for 80 to 280 ms. */
const SLICE_ITEMS = 250

/**
 * Checks the items of a call in slices, so that other calls of the process do not wait for a large one. `judge` gets a slice and the
 * position of its first item in the call.
 */
export async function judgeInSlices<Row extends { index: number }>(
  items: readonly unknown[],
  judge: (slice: readonly unknown[], start: number) => Judged<Row>,
): Promise<Judged<Row>> {
  if (items.length <= SLICE_ITEMS) return judge(items, 0)
  const judged: Judged<Row> = { rows: [], rejections: [], warnings: [] }
  for (let start = 0; start < items.length; start += SLICE_ITEMS) {
    if (start > 0) await otherWork()
    const { rows, rejections, warnings } = judge(items.slice(start, start + SLICE_ITEMS), start)
    for (const row of rows) {
      row.index += start
      judged.rows.push(row)
    }
    for (const warning of warnings) judged.warnings.push({ ...warning, index: warning.index + start })
    for (const rejection of rejections) judged.rejections.push({ ...rejection, index: rejection.index + start })
  }
  return judged
}
