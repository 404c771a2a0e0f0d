/** Whether a text has one of the words. */
export type WordFinder = (text: string) => boolean

/** Odd, so that it loses no bit. */
const BASE = 0x01000193
const FILTER_BITS = 0xffff

/**
 * Looks for any number of words in one pass over a text, by a rolling hash of their first characters (R. M. Karp and M. O. Rabin, Efficient
 * randomized pattern-matching algorithms, IBM J. Res. Dev. 31(2), 1987). `headUnits` is how many UTF-16 units are hashed: no word is shorter.
 * A place counts when `isAt` says so.
 */
export function createWordFinder(
  words: Iterable<string>,
  headUnits: number,
  isAt: (text: string, at: number, word: string) => boolean,
): WordFinder {
  const byHead = new Map<number, string[]>()
  const filter = new Uint8Array(FILTER_BITS + 1)
  for (const word of words) {
    let hash = 0
    for (let at = 0; at < headUnits; at++) hash = (Math.imul(hash, BASE) + word.charCodeAt(at)) | 0
    filter[hash & FILTER_BITS] = 1
    byHead.set(hash, [...(byHead.get(hash) ?? []), word])
  }
  if (byHead.size === 0) return () => false
  let leaving = 1
  for (let power = 0; power < headUnits; power++) leaving = Math.imul(leaving, BASE)
  return (text) => {
    let hash = 0
    for (let end = 0; end < text.length; end++) {
      hash = (Math.imul(hash, BASE) + text.charCodeAt(end)) | 0
      if (end >= headUnits) hash = (hash - Math.imul(text.charCodeAt(end - headUnits), leaving)) | 0
      if (end + 1 < headUnits || filter[hash & FILTER_BITS] === 0) continue
      const at = end + 1 - headUnits
      if (byHead.get(hash)?.some((word) => text.startsWith(word, at) && isAt(text, at, word))) return true
    }
    return false
  }
}
