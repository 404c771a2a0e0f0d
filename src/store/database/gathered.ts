/** Answers questions about keys, many callers at once. */
export type Gathered<Key, Value> = (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>

/**
 * Gathers the keys of callers that ask at the same time, so that one statement answers all of them. One statement runs at a time, and a caller
 * that comes while it runs is answered by the next one: no answer is older than its question. When the statement fails, all of its callers do.
 * @param read  answers for some keys; a key may be missing
 */
export function gathered<Key, Value>(
  read: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
  keysMax: number,
): Gathered<Key, Value> {
  interface Waiting {
    keys: readonly Key[]
    resolve: (values: ReadonlyMap<Key, Value>) => void
    reject: (error: unknown) => void
  }
  const waiting: Waiting[] = []
  let isRunning = false

  const takeSome = (): Waiting[] => {
    let count = 0
    let taken = 0
    // At least one caller, however many keys it has.
    while (taken < waiting.length && (taken === 0 || count + waiting[taken]!.keys.length <= keysMax)) {
      count += waiting[taken]!.keys.length
      taken++
    }
    return waiting.splice(0, taken)
  }
  const run = async () => {
    while (waiting.length > 0) {
      const some = takeSome()
      try {
        const values = await read([...new Set(some.flatMap(({ keys }) => keys))])
        for (const { resolve } of some) resolve(values)
      } catch (error) {
        for (const { reject } of some) reject(error)
      }
    }
    isRunning = false
  }
  return (keys) => {
    const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<Key, Value>>()
    waiting.push({ keys, resolve, reject })
    if (!isRunning) {
      isRunning = true
      // After the requests of this turn of the event loop.
      setImmediate(() => void run())
    }
    return promise
  }
}
