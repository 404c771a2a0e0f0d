const CHUNK = 2 ** 20

/** Whole numbers in chunks of 4 MiB: nothing is copied when it grows, and a chunk is freed as soon as it was read. */
export interface Int32List {
  push: (value: number) => void
  set: (index: number, value: number) => void
  at: (index: number) => number
  length: () => number
  /** Frees the chunks that have no index below this one. */
  cut: (length: number) => void
}

export function createInt32List(): Int32List {
  const chunks: Int32Array<ArrayBuffer>[] = []
  let length = 0
  return {
    push: (value) => {
      if (length === chunks.length * CHUNK) chunks.push(new Int32Array(CHUNK))
      chunks[Math.floor(length / CHUNK)]![length % CHUNK] = value
      length += 1
    },
    set: (index, value) => void (chunks[Math.floor(index / CHUNK)]![index % CHUNK] = value),
    at: (index) => chunks[Math.floor(index / CHUNK)]![index % CHUNK]!,
    length: () => length,
    cut: (to) => {
      length = to
      // A transferred buffer is freed at once, not with the next collection.
      while ((chunks.length - 1) * CHUNK >= to && chunks.length > 0) chunks.pop()!.buffer.transfer(0)
    },
  }
}

/** A whole number per key from 0, `initial` until it is set. */
export interface Int32Map {
  get: (key: number) => number
  set: (key: number, value: number) => void
}

export function createInt32Map(initial: number): Int32Map {
  let values = new Int32Array(1_024).fill(initial)
  return {
    get: (key) => (key < values.length ? values[key]! : initial),
    set: (key, value) => {
      if (key >= values.length) {
        const grown = new Int32Array(Math.max(key + 1, values.length * 2)).fill(initial, values.length)
        grown.set(values)
        values = grown
      }
      values[key] = value
    },
  }
}
