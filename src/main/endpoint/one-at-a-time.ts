import type { Deps, OneAtATime } from '../../../services/handler/deps.ts'

/** Longer work, e.g. the first batch of many months, which makes their partitions, should not hold up the next one for as long again. */
const REST_MS_MAX = 1_000

/**
 * Runs work one after the other, in the order of the calls. After each a rest follows that is as long as the work, so that it takes at
 * most half of a processor.
 */
export function createOneAtATime(): OneAtATime {
  let free: Promise<void> = Promise.resolve()
  return async (work) => {
    const turn = free
    const { promise, resolve } = Promise.withResolvers<void>()
    free = promise
    await turn
    const startedMs = performance.now()
    try {
      return await work()
    } finally {
      setTimeout(resolve, Math.min(REST_MS_MAX, performance.now() - startedMs)).unref()
    }
  }
}

/** What the services run wide batches with: each kind on its own, so that one does not wait for the other. */
export function createWideWork(): Pick<Deps, 'recordingWide' | 'countingWide'> {
  return {
    recordingWide: { interaction: createOneAtATime(), search: createOneAtATime(), analytics_event: createOneAtATime() },
    countingWide: createOneAtATime(),
  }
}
