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

const MONTH = /^\d{4}-\d{2}/
const MONTH_CHARACTERS = 'YYYY-MM'.length
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7/i
/** Events that come together are mostly of one month. */
const lastMonth = { text: '', fromMs: Infinity }

/** The month of an item, or the time in its id: Infinity without both. Only the way to the log depends on it. */
export function earliestMsOf(item: unknown): number {
  if (typeof item !== 'object' || item === null) return Infinity
  const { occurred_at: time, event_id: id } = item as { occurred_at?: unknown; event_id?: unknown }
  // An item is rejected when both say different times.
  if (typeof time === 'string') return monthOf(time)
  return typeof id === 'string' && UUID_V7.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : Infinity
}

function monthOf(time: string): number {
  const text = time.slice(0, MONTH_CHARACTERS)
  if (text !== lastMonth.text) {
    const fromMs = MONTH.test(text) ? Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5)) - 1) : Infinity
    Object.assign(lastMonth, { text, fromMs })
  }
  return lastMonth.fromMs
}

/** For JSON that is a text. */
export const charactersOf = (text: string): number => text.length
