import type { CallerShares, TaskCaller } from './caller-shares.ts'

export interface TurnLimits {
  /** Tasks that run at the same time. */
  runningMax: number
  /** Tasks that wait, of all callers and of one; further ones are turned away. */
  waitingMax: number
  callerWaitingMax: number
  /** How many tasks each caller may run at the same time. Several lines may share them. */
  shares: CallerShares
}

/** Bounds the tasks that run at the same time. Callers take turns, so that a caller with many tasks delays no other. */
export interface Turns {
  /**
   * Calls `begin` when it is the task's turn, which may be immediately; the task calls `end` once. @returns a function that leaves the
   * line before. @throws NoTurnError when too many wait.
   */
  enter: (caller: TaskCaller, begin: (end: () => void) => void) => () => void
  /** Tasks that have not begun. */
  waiting: () => number
}

/** A task that does not begin, because too many wait, or it waited too long. */
export class NoTurnError extends Error {
  override readonly name = 'NoTurnError'
}

interface Waiting {
  caller: TaskCaller
  begin: (end: () => void) => void
}

export function createTurns({ runningMax, waitingMax, callerWaitingMax, shares }: TurnLimits): Turns {
  /** The waiting tasks of each caller; the caller whose turn was last comes last. */
  const lines = new Map<string, Set<Waiting>>()
  let running = 0
  let waiting = 0

  const start = ({ caller, begin }: Waiting) => {
    running++
    shares.take(caller, startNext)
    begin(() => {
      running--
      shares.give(caller)
    })
  }

  const leave = (entry: Waiting) => {
    const line = lines.get(entry.caller.id)
    if (!line?.delete(entry)) return
    waiting--
    if (line.size === 0) lines.delete(entry.caller.id)
  }

  const startNext = () => {
    for (const [id, line] of lines) {
      if (running >= runningMax) return
      const [first] = line as Set<Waiting> & [Waiting]
      if (!shares.hasFree(first.caller)) continue
      leave(first)
      // Behind the other callers; this loop comes to it again.
      if (lines.delete(id)) lines.set(id, line)
      start(first)
    }
  }
  shares.join(startNext)

  return {
    enter: (caller, begin) => {
      const entry: Waiting = { caller, begin }
      if (running < runningMax && shares.hasFree(caller)) {
        start(entry)
        return () => undefined
      }
      const line = lines.get(caller.id) ?? new Set()
      const isTooLong = caller.hasShare && line.size >= callerWaitingMax
      if (waiting >= waitingMax || isTooLong) throw new NoTurnError('too many wait')
      lines.set(caller.id, line.add(entry))
      waiting++
      return () => leave(entry)
    },
    waiting: () => waiting,
  }
}

interface InTurnOptions {
  /** How long it may wait. */
  waitMsMax?: number
  /** How long its place stays taken after a task that took so long. */
  pauseMs?: ((tookMs: number) => number) | undefined
}

/**
 * Runs a task when it is its turn. When its caller hangs up, or it has waited too long, it leaves the line; once begun, it goes on.
 * @throws NoTurnError or the signal's reason; the task has not begun then.
 */
export function inTurn<T>(turns: Turns, caller: TaskCaller, task: () => Promise<T>, options: InTurnOptions = {}): Promise<T> {
  const { waitMsMax, pauseMs } = options
  return new Promise((resolve, reject) => {
    let state: 'waits' | 'begun' = 'waits'
    let stopWaiting = (): void => undefined
    const leave = turns.enter(caller, (end) => {
      state = 'begun'
      stopWaiting()
      const beganMs = performance.now()
      const running = async () => task()
      const endLater = () => void (pauseMs === undefined ? end() : setTimeout(end, pauseMs(performance.now() - beganMs)))
      void running().finally(endLater).then(resolve, reject)
    })
    // Most tasks begin immediately.
    if ((state as string) === 'begun') return
    stopWaiting = boundWait(caller, waitMsMax, (reason) => {
      leave()
      reject(reason)
    })
  })
}

/** Calls `giveUp` once, when the caller hangs up or the time is over. @returns a function that prevents it. */
function boundWait({ signal }: TaskCaller, waitMsMax: number | undefined, giveUp: (reason: unknown) => void): () => void {
  const end = (reason: unknown) => {
    stop()
    giveUp(reason)
  }
  const hangUp = () => end(signal?.reason)
  const clock = waitMsMax === undefined ? undefined : setTimeout(end, waitMsMax, new NoTurnError('it waited too long'))
  const stop = () => {
    clearTimeout(clock)
    signal?.removeEventListener('abort', hangUp)
  }
  signal?.addEventListener('abort', hangUp)
  if (signal?.aborted) hangUp()
  return stop
}
