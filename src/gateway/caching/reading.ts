import { NoTurnError, type Turns, type Worker } from '../http/turns.ts'

/** A caller that asks for a read. */
export interface Asker extends Worker {
  /** Aborted when the caller has hung up; the gateway itself never does. */
  signal?: AbortSignal | undefined
}

/** A read that one caller asks for, or several with the same question. */
export interface Reading<Answer> {
  /** Waits for the answer. @throws NoTurnError, or the reason of the asker's signal. */
  join: (asker: Asker) => Promise<Answer>
  /** Lets a held read begin. */
  release: () => void
}

export interface ReadingOptions<Answer> {
  turns: Turns
  /** How long an asker waits for the beginning. */
  waitMsMax: number
  /** Whether it may not begin yet. */
  isHeld: boolean
  /** Reads. The signal is aborted when every asker has left. */
  read: (signal: AbortSignal) => Promise<Answer>
  onBegin?: () => void
  /** It has ended, or every asker has left. */
  onEnd?: () => void
}

interface Waiting {
  asker: Asker
  turnAway: (reason: unknown) => void
  /** Leaves the line, and stops the clock. */
  leave: () => void
}

/**
 * Each asker waits in the line of its caller, and the first one whose turn comes begins the read for all of them. So no caller waits
 * behind the other reads of a caller with the same question. The read goes on until its last asker has left.
 */
export function createReading<Answer>({ turns, waitMsMax, ...options }: ReadingOptions<Answer>): Reading<Answer> {
  const { read, onBegin, onEnd } = options
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  // It may fail after its last asker has left.
  promise.catch(() => undefined)
  const allLeft = new AbortController()
  const waiting = new Set<Waiting>()
  let { isHeld } = options
  let state: 'waits' | 'runs' | 'over' = 'waits'
  let askers = 0

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
      const leaveLine = turns.enter(one.asker, begin)
      const leaveClock = one.leave
      one.leave = () => {
        leaveLine()
        leaveClock()
      }
    } catch (error) {
      one.turnAway(error)
    }
  }

  const wait = (asker: Asker, turnAway: (reason: unknown) => void): Waiting => {
    const one: Waiting = { asker, turnAway, leave: () => undefined }
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
    join: async (asker) => {
      const { promise: turnedAway, reject: turnAway } = Promise.withResolvers<never>()
      const hangUp = () => turnAway(asker.signal?.reason)
      asker.signal?.throwIfAborted()
      asker.signal?.addEventListener('abort', hangUp)
      askers++
      const one = state === 'waits' ? wait(asker, turnAway) : undefined
      try {
        return await Promise.race([promise, turnedAway])
      } finally {
        asker.signal?.removeEventListener('abort', hangUp)
        one?.leave()
        if (one !== undefined) waiting.delete(one)
        askers--
        if (askers === 0 && state !== 'over') {
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
