import { PRODUCTS_MAX } from './settings.ts'

/**
 * The best of many (score, number), best first, ties: smaller number first. Scores are float32 and above 0.
 *
 * A score and a number become one key: the bits of a positive float are in the order of its value. Keys are collected in room for four
 * times as many as are wanted, and whenever it is full, the best are selected without sorting. To sort them took a quarter of the whole time.
 */
export interface Best {
  /** A score below this one is of no use; 0 as long as there is room. */
  least: () => number
  add: (score: number, number: number) => void
  /** Calls back for the best, best first, and becomes empty. Returns how many there were. */
  take: (each: (rank: number, score: number, number: number) => void) => number
}

const ROOM = 4

export function createBest(countMax: number): Best {
  const keys = new Float64Array(countMax * ROOM)
  const score32 = new Float32Array(1)
  const bits32 = new Uint32Array(score32.buffer)
  let length = 0
  let least = 0

  const scoreOf = (key: number): number => {
    bits32[0] = Math.floor(key / PRODUCTS_MAX)
    return score32[0]!
  }
  const numberOf = (key: number): number => PRODUCTS_MAX - 1 - (key - Math.floor(key / PRODUCTS_MAX) * PRODUCTS_MAX)
  /** Leaves the best. */
  const cut = () => {
    if (length <= countMax) return
    selectGreatest(keys, length, countMax)
    length = countMax
    least = scoreOf(keys[countMax - 1]!)
  }
  return {
    least: () => least,
    add: (score, number) => {
      if (length === keys.length) cut()
      score32[0] = score
      keys[length++] = bits32[0]! * PRODUCTS_MAX + (PRODUCTS_MAX - 1 - number)
    },
    take: (each) => {
      cut()
      keys.subarray(0, length).sort()
      const count = length
      for (let rank = 0; rank < count; rank++) {
        const key = keys[count - 1 - rank]!
        each(rank, scoreOf(key), numberOf(key))
      }
      length = 0
      least = 0
      return count
    },
  }
}

/**
 * Moves the greatest `count` of the first `length` keys to the front, the least of them last: C. A. R. Hoare, Algorithm 65: find, CACM
 * 4(7), 1961. All keys differ.
 */
function selectGreatest(keys: Float64Array, length: number, count: number): void {
  let from = 0
  let to = length - 1
  while (from < to) {
    const pivot = keys[(from + to) >>> 1]!
    let left = from
    let right = to
    while (left <= right) {
      while (keys[left]! > pivot) left++
      while (keys[right]! < pivot) right--
      if (left > right) break
      const key = keys[left]!
      keys[left++] = keys[right]!
      keys[right--] = key
    }
    if (count - 1 <= right) to = right
    else if (count - 1 >= left) from = left
    else return
  }
}
