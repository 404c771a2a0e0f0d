/** Values that were used last, within a number of bytes. */
export interface ByteCache<Value> {
  get: (key: number) => Value | undefined
  add: (key: number, value: Value) => void
  bytes: () => number
}

export function createByteCache<Value>(bytesMax: number, bytesOf: (value: Value) => number): ByteCache<Value> {
  // A Map keeps the order in which entries were added, so the first one was not used for the longest time.
  const values = new Map<number, Value>()
  let bytes = 0
  return {
    get: (key) => {
      const value = values.get(key)
      if (value === undefined) return undefined
      values.delete(key)
      values.set(key, value)
      return value
    },
    add: (key, value) => {
      if (values.has(key)) return
      values.set(key, value)
      bytes += bytesOf(value)
      for (const [oldest, old] of values) {
        if (bytes <= bytesMax) break
        values.delete(oldest)
        bytes -= bytesOf(old)
      }
    },
    bytes: () => bytes,
  }
}

/** No shop has more products in a version. */
const PRODUCTS_MAX = 2 ** 22

/** The version and the product of a key. */
export function keyParts(key: number): { version: number; productNo: number } {
  return { version: Math.floor(key / PRODUCTS_MAX), productNo: key % PRODUCTS_MAX }
}

/** The key of a product in a version. */
export function productKey(version: number, productNo: number): number {
  return version * PRODUCTS_MAX + productNo
}
