import { DecidedError } from '../../contract/decided-error.ts'
import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import type { GatewayObserver, QueueLength } from '../http/observer.ts'
import { contextOfRequest } from '../http/tracing.ts'
import { NOT_RECORDED } from './call-gate.ts'
import { type Flow, isLight } from './flow.ts'
import { FLUSH_BYTES_MAX, FLUSH_EVENTS_MAX, type FlushOptions, type RequestEvents, sendOrHalve, type Waiting } from './flush.ts'
import { createLane, type Lane } from './lane.ts'
import { partsOfRequest, wholeRequest } from './request-parts.ts'
import { type Chosen, createWaitingRequests } from './waiting-requests.ts'

export interface GroupCommitOptions<Answer, Part> extends FlushOptions<Answer, Part> {
  /** Events of a flush, when that is less than FLUSH_EVENTS_MAX. */
  flushEventsMax?: number
  /** Concurrent flushes of one flow, when each of them is full. While twice as many run, no flow that is neither light nor old begins another; light flows and old ones have as many in addition. */
  flushesMax: number
  /** Events and bytes that may wait; a request beyond that is turned away. */
  queueEventsMax: number
  queueBytesMax: number
  /** How long a request waits for its answer. */
  deadlineMs: number
  /** Whether a flush that is slower than usual holds up the next one too. */
  isPaced?: boolean
  observer: Pick<GatewayObserver, 'flushed' | 'turnedAway'>
}

export interface GroupCommit<Part = CreateInteractionResponse> {
  /** Resolves when the request's events are recorded, with its own part of the answer. */
  record: (request: RequestEvents) => Promise<Part>
  length: () => QueueLength
}

/** So many flows may fill all of their flushes at the same time. */
const FLOWS_FULL = 2
/** Events of a large flush while small requests of others are sent too. */
const FAIR_EVENTS_MAX = 1_000

/**
 * Gathers the events of many requests into few durable calls, because a call costs Restate and PostgreSQL about the same with one event
 * as with hundreds. Callers that have little on its way share the flushes of one lane; every other caller has lanes of its own, so that
 * it holds up no other caller.
 */
export function createGroupCommit<Answer, Part>(options: GroupCommitOptions<Answer, Part>): GroupCommit<Part> {
  const { flushEventsMax = FLUSH_EVENTS_MAX, flushesMax, isPaced = false } = options
  const waiting = createWaitingRequests<Part>({ ...options, isPaced })
  /** By recorder; one for events whose outcome is waited for. */
  const sharedLanes = new Map<string | undefined, Lane>()
  const sharedLaneOf = (recorder: string | undefined) => {
    const lane = sharedLanes.get(recorder) ?? createLane({ flushesMax, isPaced })
    sharedLanes.set(recorder, lane)
    return lane
  }
  const isShared = (lane: Lane) => [...sharedLanes.values()].includes(lane)
  let flushes = 0
  let oldFlushes = 0
  let isPumping = false
  let timer: NodeJS.Timeout | undefined
  let timerMs = Infinity

  const isHalfFull = ({ events, bytes }: { events: number; bytes: number }) =>
    events >= flushEventsMax / 2 || bytes >= FLUSH_BYTES_MAX / 2

  const flush = async (group: Chosen<Part>, lane: Lane) => {
    const startedMs = performance.now()
    const requests = [...group.requests]
    // Each flow remembers its flushes, for the time when it is not light any more.
    const lanes = [...new Set([lane, ...requests.map((request) => waiting.flowOf(request).lane)])]
    waiting.sent(group)
    if (isShared(lane)) waiting.sentLight(requests, startedMs)
    // All requests of a flow are old, or none.
    const isOld = requests[0]?.isOld === true
    flushes++
    if (isOld) oldFlushes++
    for (const one of lanes) one.began()
    await sendOrHalve(requests, options)
    flushes--
    if (isOld) oldFlushes--
    const tookMs = performance.now() - startedMs
    for (const one of lanes) one.ended({ requests: requests.length, events: group.events, tookMs })
    waiting.ended(group)
    pumpSoon()
  }

  /** Whether these flows have a lane of their own, and others send small requests at the same time. */
  const isNextTo = ([flow]: readonly Flow<Part>[], lane: Lane, nowMs: number) =>
    !isShared(lane) && flow !== undefined && waiting.hasLightNeighbour(flow, nowMs)

  /** Old flushes have places of their own, because they wait for each other in the endpoint and would keep all places. */
  const hasPlace = ({ isOld }: Flow<Part>) => (isOld ? oldFlushes < flushesMax : flushes - oldFlushes < FLOWS_FULL * flushesMax)

  /** Sends the first requests of the flows when the lane allows it. @returns when it may, or undefined after a flush began. */
  const tryFlush = (flows: readonly Flow<Part>[], lane: Lane, nowMs: number): number | undefined => {
    if (flows.length === 0) return Infinity
    const isNextToOthers = isNextTo(flows, lane, nowMs)
    const nextMs = lane.nextMs({ isHalfFull: isHalfFull(sumOf(flows.map(({ waits }) => waits))), isNextToOthers })
    if (nextMs > nowMs) return nextMs
    const group = waiting.choose(flows, isNextToOthers ? Math.min(flushEventsMax, FAIR_EVENTS_MAX) : flushEventsMax)
    if (group.requests.size === 0) return Infinity
    // It may have less than waits, because a request follows those of its connection that are on their way.
    const smallMs = lane.nextMs({ isHalfFull: isHalfFull(group), isNextToOthers })
    if (smallMs > nowMs) return smallMs
    void flush(group, lane)
    return undefined
  }

  /** @returns when the next flush may begin. */
  const flushAll = (flowsNow: () => readonly Flow<Part>[], lane: Lane, nowMs: number): number => {
    for (;;) {
      const nextMs = tryFlush(flowsNow(), lane, nowMs)
      if (nextMs !== undefined) return nextMs
    }
  }

  const pump = () => {
    isPumping = false
    // One time for all of it: what comes after it is waited for, also when it has passed in the meantime.
    const nowMs = performance.now()
    const nextMs = (flow: Flow<Part>) => flow.lane.nextMs({ isHalfFull: isHalfFull(flow.waits), isNextToOthers: false })
    const light = () => waiting.flows().filter(isLight)
    const recorders = [...new Set(light().map(({ recorder }) => recorder))]
    const sharedMs = recorders.map((recorder) => {
      const flows = () => light().filter((flow) => flow.recorder === recorder && nextMs(flow) <= nowMs)
      return flushAll(flows, sharedLaneOf(recorder), nowMs)
    })
    const heavy = waiting.flows().filter((flow) => !isLight(flow))
    const ownMs = heavy.map((flow) => flushAll(() => (hasPlace(flow) ? [flow] : []), flow.lane, nowMs))
    pumpAt([...sharedMs, ...light().map(nextMs), ...ownMs], nowMs)
  }

  /** Pumps after this turn of the event loop has read all its requests. */
  const pumpSoon = () => {
    if (isPumping || waiting.waits.requests === 0) return
    isPumping = true
    setImmediate(pump)
  }

  /** Pumps at the next of these times. What was allowed before waits for the end of a flush. */
  const pumpAt = (times: readonly number[], nowMs: number) => {
    const ms = Math.min(...times.filter((time) => time > nowMs))
    if (ms >= timerMs) return
    clearTimeout(timer)
    timerMs = ms
    timer = setTimeout(
      () => {
        timerMs = Infinity
        pumpSoon()
      },
      Math.ceil(ms - nowMs),
    )
  }

  const recordPart = (request: RequestEvents): Promise<Part> => {
    const { promise, resolve, reject } = Promise.withResolvers<Part>()
    const added: Waiting<Part> = { ...request, resolve, reject, context: contextOfRequest(), state: 'queued' }
    waiting.add(added)
    pumpSoon()
    return withDeadline(promise, options.deadlineMs, () => {
      waiting.drop(added)
    })
  }

  return {
    record: async (request) => {
      const parts = options.wholeOf === undefined ? [wholeRequest(request)] : partsOfRequest(request)
      if (!waiting.hasRoomFor(parts)) {
        options.observer.turnedAway('queue_full')
        throw new DecidedError('unavailable', NOT_RECORDED)
      }
      const answers = await Promise.all(parts.map(recordPart))
      return parts.length === 1 ? answers[0]! : options.wholeOf!(parts, answers)
    },
    length: () => ({ ...waiting.waits, flushes }),
  }
}

function sumOf(amounts: readonly { events: number; bytes: number }[]): { events: number; bytes: number } {
  const sum = (part: 'events' | 'bytes') => amounts.reduce((total, amount) => total + amount[part], 0)
  return { events: sum('events'), bytes: sum('bytes') }
}

async function withDeadline<T>(promise: Promise<T>, deadlineMs: number, onMissed: () => void): Promise<T> {
  const { promise: missed, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    onMissed()
    reject(new DOMException('not recorded in time', 'TimeoutError'))
  }, deadlineMs)
  try {
    return await Promise.race([promise, missed])
  } finally {
    clearTimeout(timer)
  }
}
