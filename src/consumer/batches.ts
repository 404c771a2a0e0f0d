import { setTimeout as sleep } from 'node:timers/promises'

export interface BatchLimits<Item> {
  itemsMax: number
  bytesMax: number
  /** How long a batch waits for further items. */
  msMax: number
  bytesOf: (item: Item) => number
}

/**
 * The items of a source in batches, in their order. Reads no further while a batch is being worked on, but for one item, so that the
 * source holds back. Ends when the source ends, and after the batch that is being gathered when the signal aborts.
 */
export async function* batchesOf<Item>(
  source: AsyncIterator<Item>,
  { itemsMax, bytesMax, msMax, bytesOf }: BatchLimits<Item>,
  signal: AbortSignal,
): AsyncGenerator<Item[]> {
  const stopped = new Promise<'stopped'>((resolve) => {
    if (signal.aborted) resolve('stopped')
    else signal.addEventListener('abort', () => resolve('stopped'), { once: true })
  })
  let next = source.next()
  while (true) {
    const batch: Item[] = []
    let bytes = 0
    const done = new AbortController()
    let late: Promise<'late'> | undefined
    let isEnd = false
    while (batch.length < itemsMax && bytes < bytesMax) {
      const result = await Promise.race(late === undefined ? [next, stopped] : [next, stopped, late])
      if (result === 'late') break
      isEnd = result === 'stopped' || result.done === true
      if (result === 'stopped' || result.done === true) break
      batch.push(result.value)
      bytes += bytesOf(result.value)
      late ??= sleep(msMax, 'late' as const, { signal: done.signal }).catch(() => 'late' as const)
      next = source.next()
    }
    done.abort()
    if (batch.length > 0) yield batch
    if (isEnd) {
      next.catch(() => undefined)
      return
    }
  }
}
