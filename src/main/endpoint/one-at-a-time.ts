import { UnavailableError } from '../../store/database/unavailable-error.ts'
import type { Deps, OneAtATime } from '../../../services/handler/deps.ts'

/** Longer work, e.g. the first batch of many months, which makes their partitions, should not hold up the next one for as long again. */
const REST_MS_MAX = 1_000

/**
 * Runs work one after the other, in the order of the calls. After each a rest follows that is as long as the work, so that work of up to
 * a second takes at most half of a processor. Work that has not begun after `waitMsMax` never begins: its call rejects, and Restate
 * repeats it later. Otherwise attempts that Restate has cut off would be worked on too, and every waiting one would keep its events.
 */
export function createOneAtATime({ waitMsMax }: { waitMsMax: number }): OneAtATime {
  let free: Promise<void> = Promise.resolve()
  return async (work) => {
    const turn = free
    const { promise, resolve } = Promise.withResolvers<void>()
    free = promise
    if (!(await comesWithin(turn, waitMsMax))) {
      void turn.then(resolve)
      throw new UnavailableError(`other batches of many months took longer than ${waitMsMax / 1_000} s`)
    }
    const startedMs = performance.now()
    try {
      return await work()
    } finally {
      setTimeout(resolve, Math.min(REST_MS_MAX, performance.now() - startedMs)).unref()
    }
  }
}

/** Whether this turn comes before the time is over. */
async function comesWithin(turn: Promise<void>, waitMsMax: number): Promise<boolean> {
  const { promise: isLate, resolve } = Promise.withResolvers<boolean>()
  const clock = setTimeout(resolve, waitMsMax, false).unref()
  try {
    return await Promise.race([turn.then(() => true), isLate])
  } finally {
    clearTimeout(clock)
  }
}

/** What the services run wide batches with: a line for each, so that none waits for another. */
export function createWideWork(limits: { waitMsMax: number }): Pick<Deps, 'recordingWide' | 'countingWide'> {
  const line = () => createOneAtATime(limits)
  return {
    recordingWide: { interaction: line(), search: line(), analytics_event: line() },
    countingWide: line(),
  }
}
