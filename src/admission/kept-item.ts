/** A rejected item up to this size is kept whole, so that it can be corrected and replayed. */
export const KEPT_BYTES_MAX = 2 * 1024 * 1024
/** The same for an item of a publishable key, which every visitor of a page has. It is also what is kept of an item that is larger. */
export const KEPT_SHORT_BYTES_MAX = 32 * 1024

/** What a rejected item takes in the database besides its text: 156 bytes were measured, with the index, for items of one character. */
const ROW_BYTES = 200

/** What is kept of a rejected item. */
export interface KeptItem {
  /** The item as JSON, or the beginning of that. */
  text: string
  /** The size of an item that was cut. */
  cutFromBytes: number | null
}

/** A whole item, or the beginning of an item that is too large. `isKeptShort` is for items of publishable keys. */
export function keptItemOf({ item, isKeptShort = false }: { item: unknown; isKeptShort?: boolean }): KeptItem {
  const text = JSON.stringify(item)
  const bytes = Buffer.byteLength(text)
  if (bytes <= (isKeptShort ? KEPT_SHORT_BYTES_MAX : KEPT_BYTES_MAX)) return { text, cutFromBytes: null }
  // Half a character at the end becomes one or more U+FFFD.
  const beginning = Buffer.from(text)
    .subarray(0, KEPT_SHORT_BYTES_MAX)
    .toString()
    .replace(/\uFFFD+$/, '')
  return { text: beginning, cutFromBytes: bytes }
}

/** What rejected items of so many bytes take in the database at most. */
export function bytesOfRejected(count: number, bytes: number): number {
  return bytes + count * ROW_BYTES
}
