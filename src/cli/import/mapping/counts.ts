/** Counts by name, e.g. of event types. */
export type Counts = Map<string, number>

/** A column may have any texts, so the number and the length of those that are kept is bounded. */
const NAMES_MAX = 1_000
const NAME_CHARACTERS_MAX = 100
const OTHERS = '(others)'

/** Adds to the count of a name. Names beyond the bound are counted together. */
export function addTo(counts: Counts, name: string, count = 1): void {
  const short = name.slice(0, NAME_CHARACTERS_MAX)
  const key = counts.has(short) || counts.size < NAMES_MAX ? short : OTHERS
  counts.set(key, (counts.get(key) ?? 0) + count)
}

/** Counts by name, the highest first. */
export function mostFirst(counts: ReadonlyMap<string, number>): [name: string, count: number][] {
  return [...counts].toSorted(([one, ones], [other, others]) => others - ones || (one < other ? -1 : 1))
}
