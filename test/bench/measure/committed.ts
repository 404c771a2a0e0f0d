import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { type Claim, formatted, measuredText } from './claim.ts'

/** The numbers of each row of the table, in the order of its lines. */
export type Committed = ReadonlyMap<string, readonly { what: string; measured: number }[]>

const PAGE = 'docs/benchmarks.md'
/** The table has three significant digits. */
const ROUNDING = 0.005

/** The table of docs/benchmarks.md as it is in Git, because a run writes the file; empty without Git. */
export function committedTable(): Committed {
  try {
    const cwd = join(import.meta.dirname, '..', '..', '..')
    return tableIn(execFileSync('git', ['show', `HEAD:${PAGE}`], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    return new Map()
  }
}

export function tableIn(page: string): Committed {
  const table = new Map<string, { what: string; measured: number }[]>()
  for (const [, row, what, number] of page.matchAll(/^\| `([^`]+)` *\| (.+?) *\| \*\*(-?[\d.,]+)[^*]*\*\* /gm)) {
    table.set(row!, [...(table.get(row!) ?? []), { what: what!, measured: Number(number!.replaceAll(',', '')) }])
  }
  return table
}

/** What the table said about a number before, if that is outside of the spread of the rounds; undefined otherwise. */
/** The number of the table for a claim of a row. */
export function beforeOf(committed: Committed, row: string, { what }: Claim, place: number): number | undefined {
  const line = committed.get(row)?.[place]
  // Another text stands for another measurement.
  return line?.what === what ? line.measured : undefined
}

/** What is said about a number that moved out of the spread of its rounds; undefined when it did not. */
export function movedText(claim: Claim, before: number | undefined): string | undefined {
  const { measured, spread, target } = claim
  if (before === undefined || spread === undefined) return undefined
  if (before >= spread.least * (1 - ROUNDING) && before <= spread.most * (1 + ROUNDING)) return undefined
  const isMore = measured > before
  const verdict = target === undefined ? 'moved' : 'min' in target === isMore ? 'better' : 'worse'
  return `${verdict}: ${measuredText({ ...claim, measured: before })} before, rounds ${formatted(spread.least)} to ${formatted(spread.most)}`
}

/** Whether a ratio is not even half as good as it was. Numbers with a unit depend on the machine, and are not judged. */
export function isHalved({ measured, unit, target }: Claim, before: number | undefined): boolean {
  if (before === undefined || unit !== undefined || target === undefined) return false
  return 'min' in target ? measured < before / 2 : measured > before * 2
}
