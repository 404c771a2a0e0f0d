import type { FastifyInstance, FastifyRequest } from 'fastify'
import { noteCaller } from './connection-callers.ts'
import { isFreeProbe } from './free-probes.ts'
import { costOfHead } from './head-cost.ts'
import { createSendingCallers } from './sending-callers.ts'

/** What begins in a turn of the event loop, in costs: of the only caller, of each caller next to others, and of all callers. */
export interface ShareLimits {
  aloneMax: number
  callerMax: number
  allMax: number
}

/**
 * A request costs 1, some 0.25 ms. A body that takes longer than its share keeps its caller waiting. Turns are short next to others,
 * because a request needs several of them; one caller's requests are served a little faster in longer turns.
 */
const LIMITS: ShareLimits = { aloneMax: 4, callerMax: 1, allMax: 32 }

/** Begins tasks so that those of one caller leave time between them to all others, and those of all leave time to read from the network. */
export interface LoopShare {
  /**
   * Calls `task`, in this turn of the event loop or a later one. The task returns what it costs. The tasks of a caller begin in their
   * order, but those that read a body go first: they were begun as requests before.
   */
  begin: (caller: LoopCaller, task: Task, isBody?: boolean) => void
}

/** A name, or the connection of a caller that is not known yet. */
type LoopCaller = string | object

type Task = () => number

interface Line {
  requests: Task[]
  bodies: Task[]
}

export function createLoopShare(
  { aloneMax, callerMax, allMax }: ShareLimits = LIMITS,
  sending = createSendingCallers(),
): LoopShare {
  /** What the tasks of each caller, and of all, cost in this turn. */
  const costs = new Map<LoopCaller, number>()
  let allCosts = 0
  /** The caller whose turn was last comes last. */
  const lines = new Map<LoopCaller, Line>()
  let isScheduled = false

  const shareOf = (caller: LoopCaller) => (sending.hasOthers(caller) ? callerMax : aloneMax)
  const mayBegin = (caller: LoopCaller) => allCosts < allMax && (costs.get(caller) ?? 0) < shareOf(caller)
  const run = (caller: LoopCaller, task: Task) => {
    schedule()
    const cost = task()
    allCosts += cost
    costs.set(caller, (costs.get(caller) ?? 0) + cost)
  }
  const schedule = () => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(nextTurn)
  }

  const nextTurn = () => {
    isScheduled = false
    allCosts = 0
    // What exceeded a share counts in the next turns.
    for (const [caller, cost] of costs) {
      const left = cost - shareOf(caller)
      if (left > 0) costs.set(caller, left)
      else costs.delete(caller)
    }
    for (const [caller, line] of lines) {
      if (allCosts >= allMax) break
      if (!mayBegin(caller)) continue
      for (let task = nextIn(line); task !== undefined; task = mayBegin(caller) ? nextIn(line) : undefined) run(caller, task)
      lines.delete(caller)
      if (line.bodies.length + line.requests.length > 0) lines.set(caller, line)
    }
    if (costs.size > 0 || lines.size > 0) schedule()
  }

  return {
    begin: (caller, task, isBody = false) => {
      sending.note(caller)
      const line = lines.get(caller) ?? { requests: [], bodies: [] }
      const before = isBody ? line.bodies.length : line.bodies.length + line.requests.length
      if (before === 0 && mayBegin(caller)) return run(caller, task)
      if (isBody) line.bodies.push(task)
      else line.requests.push(task)
      lines.set(caller, line)
    },
  }
}

function nextIn({ bodies, requests }: Line): Task | undefined {
  return bodies.shift() ?? requests.shift()
}

/** Resolves when it is the turn of a request's body. `costOf` is called then. */
export type BodyTurn = (request: FastifyRequest, costOf: () => number) => Promise<void>

export function bodyTurns(share: LoopShare, callerOf: (request: FastifyRequest) => string): BodyTurn {
  return (request, costOf) =>
    new Promise((resolve) => {
      share.begin(
        callerOf(request),
        () => {
          resolve()
          return costOf()
        },
        true,
      )
    })
}

/** Lets each request begin in its turn. To be called when its caller is known. */
export function shareLoop(app: FastifyInstance, share: LoopShare, callerOf: (request: FastifyRequest) => string): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const caller = callerOf(request)
    noteCaller(request.raw.socket, caller)
    if (isFreeProbe(request.raw)) return done()
    share.begin(caller, () => {
      done()
      return costOfHead(request.raw)
    })
  })
}
