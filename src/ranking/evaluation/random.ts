/** Numbers from 0 to 1 that a seed determines: mulberry32 of T. Ettinger, whose period is 2^32. */
export function createRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `count` different whole numbers below `below`, in ascending order; all of them if there are not more. */
export function sampleOf(below: number, count: number, random: () => number): Int32Array {
  const all = new Int32Array(below).map((_, index) => index)
  if (count >= below) return all
  for (let at = 0; at < count; at++) {
    const other = at + Math.floor(random() * (below - at))
    const value = all[at]!
    all[at] = all[other]!
    all[other] = value
  }
  return all.slice(0, count).sort()
}
