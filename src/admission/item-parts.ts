/** A durable call with more keeps the endpoint's thread for longer than other calls should wait. */
const PART_ITEMS_MAX = 1_000
const PART_LENGTH_MAX = 256 * 1024

/** Where a part of a request's items ends: how many items are before it, and how long their JSON is, with commas between them. */
export interface PartEnd {
  count: number
  length: number
  /** Its earliest time, or the beginning of that month, in milliseconds since 1970; Infinity without a time. */
  fromMs: number
}

/**
 * The ends of the parts in which items are recorded; one for a small request. `lengthOf` counts in the units of the JSON, and `earliest` has
 * the earliest time of each item.
 */
export function partEndsOf(texts: readonly string[], lengthOf: (text: string) => number, earliest: readonly number[]): PartEnd[] {
  const ends: PartEnd[] = []
  const begin = { count: 0, length: 0 }
  let length = 0
  let fromMs = Infinity
  for (const [count, text] of texts.entries()) {
    const own = lengthOf(text)
    const isFull = count - begin.count >= PART_ITEMS_MAX || length + own - begin.length > PART_LENGTH_MAX
    if (count > begin.count && isFull) {
      ends.push({ count, length, fromMs })
      Object.assign(begin, { count, length })
      fromMs = Infinity
    }
    fromMs = Math.min(fromMs, earliest[count]!)
    length += own + (count === 0 ? 0 : 1)
  }
  return [...ends, { count: texts.length, length, fromMs }]
}

const MONTH = /^(\d{4})-(\d{2})/
const UUID_V7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7/i

/** The earliest time in an item, to the month: Infinity without one. Only the way to the log depends on it. */
export function earliestMsOf(item: unknown): number {
  if (typeof item !== 'object' || item === null) return Infinity
  const { occurred_at: time, event_id: id } = item as { occurred_at?: unknown; event_id?: unknown }
  const [, year, month] = (typeof time === 'string' && MONTH.exec(time)) || []
  const [, high, low] = (typeof id === 'string' && UUID_V7.exec(id)) || []
  return Math.min(
    year === undefined ? Infinity : Date.UTC(Number(year), Number(month) - 1),
    high === undefined ? Infinity : Number.parseInt(high + low!, 16),
  )
}

/** For JSON that is a text. */
export const charactersOf = (text: string): number => text.length
