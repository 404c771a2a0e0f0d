/** Values that were used lately, within a number of bytes. */
export interface ByteCache<Value> {
  get: (key: number) => Value | undefined
  add: (key: number, value: Value) => void
  bytes: () => number
}

interface Entry<Value> {
  value: Value
  isUsed: boolean
}

export function createByteCache<Value>(bytesMax: number, bytesOf: (value: Value) => number): ByteCache<Value> {
  // A Map keeps the order in which entries were added. The first one is dropped, unless it was used since it became the last one: to move
  // an entry each time that it is used takes ten times as long.
  const values = new Map<number, Entry<Value>>()
  let bytes = 0
  return {
    get: (key) => {
      const entry = values.get(key)
      if (entry === undefined) return undefined
      entry.isUsed = true
      return entry.value
    },
    add: (key, value) => {
      if (values.has(key)) return
      values.set(key, { value, isUsed: false })
      bytes += bytesOf(value)
      while (bytes > bytesMax) {
        const [oldest, entry] = values.entries().next().value!
        values.delete(oldest)
        if (entry.isUsed) values.set(oldest, { ...entry, isUsed: false })
        else bytes -= bytesOf(entry.value)
      }
    },
    bytes: () => bytes,
  }
}

/** No shop has more products in a version. */
const PRODUCTS_MAX = 2 ** 22

/** The key of a product in a version. */
export function productKey(version: number, productNo: number): number {
  return version * PRODUCTS_MAX + productNo
}
