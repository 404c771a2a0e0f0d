const UNITS: [string, number][] = [
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
]

/** A duration in the largest unit that fits, e.g. 90000 as 1.5 min. */
export function durationOf(milliseconds: number): string {
  const [unit, size] = UNITS.find(([, unitMs]) => milliseconds >= unitMs) ?? ['ms', 1]
  return `${Number((milliseconds / size).toFixed(1))} ${unit}`
}
