/** Runs a bounded number of works concurrently; the others wait for their turn, in the order in which they came. */
export interface Turns {
  run: <T>(work: () => Promise<T>) => Promise<T>
  /** Works that have not begun. */
  waiting: () => number
}

export function createTurns(runningMax: number): Turns {
  const queue: (() => void)[] = []
  let running = 0
  return {
    run: async (work) => {
      if (running >= runningMax) await new Promise<void>((resolve) => queue.push(resolve))
      else running++
      try {
        return await work()
      } finally {
        // The next one takes over this place, so `running` stays.
        const next = queue.shift()
        if (next === undefined) running--
        else next()
      }
    },
    waiting: () => queue.length,
  }
}
