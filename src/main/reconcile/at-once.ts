/**
 * Works on items, several at once, and begins them in their order. After a failure none is begun any more. @returns the results in the order of the
 * items. @throws the first failure, once those that were begun have ended.
 */
export async function eachAtOnce<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = Array.from({ length: items.length })
  let [next, hasFailed] = [0, false]
  const worker = async () => {
    while (next < items.length && !hasFailed) {
      const at = next++
      try {
        results[at] = await work(items[at]!)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return results
}

/** Items in groups: those beside each other that may be worked on at once, and every other one alone. */
export function* groupsOf<Item>(items: readonly Item[], mayBeAtOnce: (item: Item) => boolean): Generator<Item[]> {
  let group: Item[] = []
  for (const item of items) {
    if (mayBeAtOnce(item)) group.push(item)
    else {
      if (group.length > 0) yield group
      yield [item]
      group = []
    }
  }
  if (group.length > 0) yield group
}
