import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Requests of one caller that begin in a turn of the event loop, which takes about a millisecond then. */
const SHARE = 4
/** So much of a body counts as a request. */
const BODY_BYTES = 16 * 1024

/** Begins tasks so that those of one caller leave time between them to all others. */
export interface LoopShare {
  /** Calls `begin`, in this turn of the event loop or a later one. The tasks of a caller begin in their order. */
  begin: (caller: string, cost: number, begin: () => void) => void
}

export function createLoopShare(shareMax = SHARE): LoopShare {
  /** What each caller has begun in this turn. */
  const begun = new Map<string, number>()
  const waiting = new Map<string, { cost: number; begin: () => void }[]>()
  let isScheduled = false

  const mayBegin = (caller: string) => (begun.get(caller) ?? 0) < shareMax
  const take = (caller: string, cost: number) => {
    begun.set(caller, (begun.get(caller) ?? 0) + cost)
    if (isScheduled) return
    isScheduled = true
    setImmediate(nextTurn)
  }

  const nextTurn = () => {
    isScheduled = false
    // What exceeded a share counts in the next turns.
    for (const [caller, cost] of begun) {
      if (cost > shareMax) begun.set(caller, cost - shareMax)
      else begun.delete(caller)
    }
    for (const [caller, line] of waiting) {
      while (line.length > 0 && mayBegin(caller)) {
        const { cost, begin } = line.shift()!
        take(caller, cost)
        begin()
      }
      if (line.length === 0) waiting.delete(caller)
    }
    if (begun.size > 0 && !isScheduled) {
      isScheduled = true
      setImmediate(nextTurn)
    }
  }

  return {
    begin: (caller, cost, begin) => {
      const line = waiting.get(caller)
      if (line !== undefined) line.push({ cost, begin })
      else if (mayBegin(caller)) {
        take(caller, cost)
        begin()
      } else waiting.set(caller, [{ cost, begin }])
    },
  }
}

/** Answered immediately, because a supervisor takes a process that does not answer for dead. */
const PROBES = new Set<string | undefined>(['/health', '/ready'])

export function shareLoop(app: FastifyInstance, callerOf: (request: FastifyRequest) => string): void {
  const share = createLoopShare()
  app.addHook('onRequest', (request, _reply, done) => {
    if (PROBES.has(request.routeOptions.url)) done()
    else share.begin(callerOf(request), 1 + bodyBytesOf(request) / BODY_BYTES, done)
  })
}

/** A body of more than its route takes is not read, however long it says to be. */
function bodyBytesOf({ headers, routeOptions: { bodyLimit } }: FastifyRequest): number {
  return Math.min(Number(headers['content-length'] ?? 0), bodyLimit)
}
