/** Whose work it is. */
export interface Worker {
  /** Callers take turns. */
  caller: string
  /** Whether the caller has a share of its own; false when all requests are of one machine. */
  hasShare: boolean
}

export interface TurnLimits {
  /** Works that run at the same time. */
  runningMax: number
  /** Works that wait, of all callers and of one; further ones are turned away. */
  waitingMax: number
  callerWaitingMax: number
  /** How many works each caller may run at the same time. Several lines may share them. */
  shares: CallerShares
}

/** Bounds the works that run at the same time. Callers take turns, so that a caller with many works delays no other. */
export interface Turns {
  /**
   * Calls `begin` when it is the work's turn, which may be immediately; the work calls `end` once. @returns a function that leaves the
   * line before. @throws NoTurnError when too many wait.
   */
  enter: (worker: Worker, begin: (end: () => void) => void) => () => void
  /** Works that have not begun. */
  waiting: () => number
}

/** A work that does not begin, because too many wait, or it waited too long. */
export class NoTurnError extends Error {
  override readonly name = 'NoTurnError'
}

/** The places of each caller in one line or several. */
export interface CallerShares {
  hasFree: (worker: Worker) => boolean
  take: (worker: Worker) => void
  give: (worker: Worker) => void
  /** Calls a function whenever a place was given back. */
  onGiven: (given: () => void) => void
}

export function createCallerShares(callerRunningMax: number): CallerShares {
  const taken = new Map<string, number>()
  const listeners: (() => void)[] = []
  const change = ({ caller }: Worker, by: 1 | -1) => {
    const left = (taken.get(caller) ?? 0) + by
    if (left === 0) taken.delete(caller)
    else taken.set(caller, left)
  }
  return {
    hasFree: ({ caller, hasShare }) => !hasShare || (taken.get(caller) ?? 0) < callerRunningMax,
    take: (worker) => change(worker, 1),
    give: (worker) => {
      change(worker, -1)
      for (const given of listeners) given()
    },
    onGiven: (given) => void listeners.push(given),
  }
}

interface Waiting {
  worker: Worker
  begin: (end: () => void) => void
}

export function createTurns({ runningMax, waitingMax, callerWaitingMax, shares }: TurnLimits): Turns {
  /** The waiting works of each caller; the caller whose turn was last comes last. */
  const lines = new Map<string, Set<Waiting>>()
  let running = 0
  let waiting = 0

  const start = ({ worker, begin }: Waiting) => {
    running++
    shares.take(worker)
    begin(() => {
      running--
      shares.give(worker)
    })
  }

  const leave = (entry: Waiting) => {
    const line = lines.get(entry.worker.caller)
    if (!line?.delete(entry)) return
    waiting--
    if (line.size === 0) lines.delete(entry.worker.caller)
  }

  const startNext = () => {
    for (const [caller, line] of lines) {
      if (running >= runningMax) return
      const [first] = line as Set<Waiting> & [Waiting]
      if (!shares.hasFree(first.worker)) continue
      leave(first)
      // Behind the other callers; this loop comes to it again.
      if (lines.delete(caller)) lines.set(caller, line)
      start(first)
    }
  }
  shares.onGiven(startNext)

  return {
    enter: (worker, begin) => {
      const entry: Waiting = { worker, begin }
      if (running < runningMax && shares.hasFree(worker)) {
        start(entry)
        return () => undefined
      }
      const line = lines.get(worker.caller) ?? new Set()
      const isTooLong = worker.hasShare && line.size >= callerWaitingMax
      if (waiting >= waitingMax || isTooLong) throw new NoTurnError('too many wait')
      lines.set(worker.caller, line.add(entry))
      waiting++
      return () => leave(entry)
    },
    waiting: () => waiting,
  }
}

/** Works when it is its turn. @throws NoTurnError when too many wait. */
export function inTurn<T>(turns: Turns, worker: Worker, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    turns.enter(worker, (end) => {
      const working = async () => work()
      void working().finally(end).then(resolve, reject)
    })
  })
}
