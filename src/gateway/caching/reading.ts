import type { TaskCaller } from '../http/caller-shares.ts'
import { NoTurnError, type Turns } from '../http/turns.ts'

/** A read that one caller asks for, or several with the same question. */
export interface Reading<Answer> {
  /** Waits for the answer. @throws NoTurnError, or the reason of the reader's signal. */
  join: (reader: TaskCaller) => Promise<Answer>
  /** Lets a held read begin. */
  release: () => void
}

export interface ReadingOptions<Answer> {
  turns: Turns
  /** How long a reader waits for the beginning. */
  waitMsMax: number
  /** Whether it may not begin yet. */
  isHeld: boolean
  /** Reads. The signal is aborted when every reader has left. */
  read: (signal: AbortSignal) => Promise<Answer>
  onBegin?: () => void
  /** It has ended, or every reader has left. */
  onEnd?: () => void
}

interface Waiting {
  reader: TaskCaller
  turnAway: (reason: unknown) => void
  /** Leaves the line, and stops the clock. */
  leave: () => void
}

/**
 * Each reader waits in the line of its caller, and the first one whose turn comes begins the read for all of them. So no caller waits
 * behind the other reads of a caller with the same question. The read goes on until its last reader has left.
 */
export function createReading<Answer>({ turns, waitMsMax, ...options }: ReadingOptions<Answer>): Reading<Answer> {
  const { read, onBegin, onEnd } = options
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  // It may fail after its last reader has left.
  promise.catch(() => undefined)
  const allLeft = new AbortController()
  const waiting = new Set<Waiting>()
  let { isHeld } = options
  let state: 'waits' | 'runs' | 'over' = 'waits'
  let readers = 0

  const finish = () => {
    state = 'over'
    onEnd?.()
  }

  const begin = (end: () => void) => {
    state = 'runs'
    for (const { leave } of waiting) leave()
    onBegin?.()
    const reading = async () => read(allLeft.signal)
    void reading()
      .then(resolve, reject)
      .finally(() => {
        end()
        if (state === 'runs') finish()
      })
  }

  const enter = (one: Waiting) => {
    if (state !== 'waits') return
    try {
      const leaveLine = turns.enter(one.reader, begin)
      const leaveClock = one.leave
      one.leave = () => {
        leaveLine()
        leaveClock()
      }
    } catch (error) {
      one.turnAway(error)
    }
  }

  const wait = (reader: TaskCaller, turnAway: (reason: unknown) => void): Waiting => {
    const one: Waiting = { reader, turnAway, leave: () => undefined }
    waiting.add(one)
    if (!isHeld) enter(one)
    // Most reads begin immediately.
    if (state !== 'waits') return one
    const clock = setTimeout(() => turnAway(new NoTurnError('it waited too long')), waitMsMax)
    const { leave } = one
    one.leave = () => {
      leave()
      clearTimeout(clock)
    }
    return one
  }

  return {
    join: async (reader) => {
      const { promise: turnedAway, reject: turnAway } = Promise.withResolvers<never>()
      const hangUp = () => turnAway(reader.signal?.reason)
      reader.signal?.throwIfAborted()
      reader.signal?.addEventListener('abort', hangUp)
      readers++
      const one = state === 'waits' ? wait(reader, turnAway) : undefined
      try {
        return await Promise.race([promise, turnedAway])
      } finally {
        reader.signal?.removeEventListener('abort', hangUp)
        one?.leave()
        if (one !== undefined) waiting.delete(one)
        readers--
        if (readers === 0 && state !== 'over') {
          finish()
          allLeft.abort()
        }
      }
    },
    release: () => {
      isHeld = false
      for (const one of waiting) enter(one)
    },
  }
}
