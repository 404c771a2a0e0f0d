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

/** The ends of the parts in which items are recorded; one for a small request. `lengthOf` counts in the units of the JSON. */
export function partEndsOf(texts: readonly string[], lengthOf: (text: string) => number): PartEnd[] {
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
    fromMs = Math.min(fromMs, earliestMsIn(text))
    length += own + (count === 0 ? 0 : 1)
  }
  return [...ends, { count: texts.length, length, fromMs }]
}

/** A field with the time of an event. An id has it when it is a UUIDv7. */
const TIMES = /"occurred_at":"(\d{4})-(\d{2})|"event_id":"([0-9a-f]{8})-([0-9a-f]{4})-7/gi

/**
 * The earliest time in an item, to the month. Only the way to the log depends on it, so it reads the text that JSON.stringify wrote,
 * which takes half of the time of parsing it. A field of that name in the metadata counts too.
 */
function earliestMsIn(text: string): number {
  let earliestMs = Infinity
  for (const [, year, month, high, low] of text.matchAll(TIMES)) {
    const timeMs = year === undefined ? Number.parseInt(high! + low!, 16) : Date.UTC(Number(year), Number(month) - 1)
    earliestMs = Math.min(earliestMs, timeMs)
  }
  return earliestMs
}

/** For JSON that is a text. */
export const charactersOf = (text: string): number => text.length
