import type { Tally } from './run.ts'

/** A line per file, and a total with the peak memory of the process. */
export function summaryOf(tallies: readonly Tally[], seconds: number, peakKiB: number): string[] {
  const sum = (of: (tally: Tally) => number) => tallies.reduce((total, tally) => total + of(tally), 0)
  const total = {
    path: 'total',
    rows: sum((tally) => tally.rows),
    accepted: sum((tally) => tally.accepted),
    duplicates: sum((tally) => tally.duplicates),
    rejected: sum((tally) => tally.rejected),
    seconds,
  }
  const rate = Math.round(total.rows / Math.max(seconds, 0.001))
  return [...tallies.map(lineOf), `${lineOf(total)}, ${rate} rows/s, peak memory ${Math.round(peakKiB / 1024)} MiB`]
}

function lineOf({ path, rows, accepted, duplicates, rejected, seconds }: Omit<Tally, 'startedAt'>): string {
  return `${path}: ${rows} rows, ${accepted} accepted, ${duplicates} duplicates, ${rejected} rejected, ${seconds.toFixed(1)} s`
}
