import { noteLines } from './notes.ts'
import type { Tally } from './run.ts'

const NO_ROWS = 'No rows were found: --format, --delimiter, --skip and --columns say how to read the files.'

/**
 * A line per file, a total with the peak memory of the process, what is notable about recorded rows, and what a preset left out.
 * @param leftOut the sentence about rows that are no items
 */
export function summaryOf(
  tallies: readonly Tally[],
  { seconds, peakKiB, leftOut }: { seconds: number; peakKiB: number; leftOut?: string | undefined },
): string[] {
  const total = { path: 'total', seconds, ...totalOf(tallies) }
  const rate = Math.round(total.rows / Math.max(seconds, 0.001))
  const totalLine = `${lineOf(total)}, ${rate} rows/s, peak memory ${Math.round(peakKiB / 1024)} MiB`
  const none = total.rows === 0 && leftOut === undefined ? [NO_ROWS] : []
  const notes = noteLines(tallies.map(({ notes }) => notes))
  return [...tallies.map(lineOf), totalLine, ...none, ...notes, ...(leftOut === undefined ? [] : [leftOut])]
}

/** The rows of all files, by outcome. */
export function totalOf(tallies: readonly Tally[]) {
  const sum = (of: (tally: Tally) => number) => tallies.reduce((total, tally) => total + of(tally), 0)
  return {
    rows: sum((tally) => tally.rows),
    accepted: sum((tally) => tally.accepted),
    duplicates: sum((tally) => tally.duplicates),
    stale: sum((tally) => tally.stale),
    rejected: sum((tally) => tally.rejected),
  }
}

function lineOf({ path, rows, accepted, duplicates, stale, rejected, seconds }: Omit<Tally, 'startedAt' | 'notes'>): string {
  const unchanged = stale === 0 ? '' : `${stale} stale (the catalog keeps another version of the same time), `
  return `${path}: ${rows} rows, ${accepted} accepted, ${duplicates} duplicates, ${unchanged}${rejected} rejected, ${seconds.toFixed(1)} s`
}
