import { createHash } from 'node:crypto'

/** A source of random numbers that a seed determines. */
export interface Random {
  /** A number from 0 to just under 1. */
  share: () => number
  /** A whole number from 0 to `limit` − 1. */
  below: (limit: number) => number
  chance: (probability: number) => boolean
  pick: <T>(list: readonly T[]) => T
  bytes: (count: number) => Uint8Array
}

/** The same seed and name always give the same numbers. Names separate senders, so that none changes the numbers of another. */
export function randomOf(seed: number, name: string): Random {
  const share = mulberry32(createHash('sha256').update(`${seed} ${name}`).digest().readUInt32LE(0))
  const below = (limit: number) => Math.floor(share() * limit)
  return {
    share,
    below,
    chance: (probability) => share() < probability,
    pick: (list) => list[below(list.length)]!,
    bytes: (count) => Uint8Array.from({ length: count }, () => below(256)),
  }
}

/** A small seeded generator of numbers in [0, 1): mulberry32. */
export function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The list in a random order. */
export function shuffled<T>(list: readonly T[], share: () => number): T[] {
  const mixed = [...list]
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(share() * (last + 1))
    ;[mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!]
  }
  return mixed
}

/** Zipf's law: the running sum of 1/rank^exponent, scaled to end at 1. */
export function zipf(count: number, exponent = 1): Float64Array {
  const sums = new Float64Array(count)
  for (let rank = 1, sum = 0; rank <= count; rank++) sums[rank - 1] = sum += 1 / rank ** exponent
  const total = sums[count - 1]!
  return sums.map((sum) => sum / total)
}

/** The first rank, from 0, with a running sum above `share`. */
export function rankOf(sums: Float64Array, share: number): number {
  let low = 0
  for (let high = sums.length - 1; low < high;) {
    const middle = (low + high) >> 1
    if (sums[middle]! > share) high = middle
    else low = middle + 1
  }
  return low
}
