/** A durable call with more keeps the endpoint's thread for longer than other calls should wait. */
const PART_ITEMS_MAX = 1_000
const PART_LENGTH_MAX = 256 * 1024

/** Where a part of a request's items ends: how many items are before it, and how long their JSON is, with commas between them. */
export interface PartEnd {
  count: number
  length: number
}

/** The ends of the parts in which items are recorded; one for a small request. `lengthOf` counts in the units of the JSON. */
export function partEndsOf(texts: readonly string[], lengthOf: (text: string) => number): PartEnd[] {
  const ends: PartEnd[] = []
  const begin: PartEnd = { count: 0, length: 0 }
  let length = 0
  for (const [count, text] of texts.entries()) {
    const own = lengthOf(text)
    const isFull = count - begin.count >= PART_ITEMS_MAX || length + own - begin.length > PART_LENGTH_MAX
    if (count > begin.count && isFull) {
      ends.push({ count, length })
      Object.assign(begin, { count, length })
    }
    length += own + (count === 0 ? 0 : 1)
  }
  return [...ends, { count: texts.length, length }]
}

/** For JSON that is a text. */
export const charactersOf = (text: string): number => text.length
