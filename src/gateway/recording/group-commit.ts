import { DecidedError } from '../../contract/decided-error.ts'
import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import { bodyOfItems, type EventsBody } from '../../ingress/recorder.ts'
import { isRefusedCall } from '../../ingress/refusal.ts'
import type { GatewayObserver, QueueLength } from '../http/observer.ts'
import { contextOfRequest, inFlushSpan } from '../http/tracing.ts'
import { NOT_RECORDED } from './call-gate.ts'

/**
 * A flush has at most this much, unless a single request has more. Batches of 1,000 events came in at 0.68–0.73 of the SQL's rate, and
 * batches of 4,000 at 0.86–0.88, because more rows share the fixed cost of a call.
 */
export const FLUSH_EVENTS_MAX = 4_000
export const FLUSH_BYTES_MAX = 1024 * 1024

export interface GroupCommitOptions<Answer, Part> {
  /** The name of the list in the body of a call. */
  list: string
  /** Events of a flush, when that is less than FLUSH_EVENTS_MAX. */
  flushEventsMax?: number
  /** Records events in one durable call; safe to repeat, because every event has its identity. */
  send: (body: EventsBody) => Promise<Sent<Answer>>
  /** Each request's part of the answer, in the order of the group. */
  partsOf: (group: readonly Pick<RequestEvents, 'count'>[], answer: Answer) => Part[]
  /** Concurrent flushes, when each of them is full. */
  flushesMax: number
  /** Events and bytes that may wait; a request beyond that is turned away. */
  queueEventsMax: number
  queueBytesMax: number
  /** How long a request waits for its answer. */
  deadlineMs: number
  observer: Pick<GatewayObserver, 'flushed' | 'turnedAway'>
}

export interface Sent<Answer> {
  answer: Answer
  /** Resolves when the next call may be sent; at once if undefined. */
  nextAllowed?: Promise<unknown>
}

/** The events of one request. */
export interface RequestEvents {
  /** As JSON, with commas between them. */
  json: string
  count: number
  /** Its connection: the requests of one connection are recorded in the order in which they came. */
  connection: object
}

export interface GroupCommit<Part = CreateInteractionResponse> {
  /** Resolves when the request's events are recorded, with its own part of the answer. */
  record: (request: RequestEvents) => Promise<Part>
  length: () => QueueLength
}

/**
 * A flush of many requests is answered to many senders at once, and they are about to send their next requests. The next flush waits
 * for these, for a part of the time that the last flush took. With 256 connections, waiting 0 / 5 / 10 / 15 ms gave 3,819 / 3,901 /
 * 4,519 / 4,652 events/s, and 121 / 103 / 103 / 102 ms at p99. A lone request does not wait.
 */
const CROWD_REQUESTS = 8
const GATHER_SHARE = 0.5
const GATHER_MS_MAX = 10

interface Waiting<Part> extends RequestEvents {
  resolve: (part: Part) => void
  reject: (reason: unknown) => void
  /** Leads from the request's trace to its flush. */
  context: ReturnType<typeof contextOfRequest>
  /** A request that is gone was answered already, because its deadline passed. */
  state: 'queued' | 'sent' | 'gone'
}

/**
 * Gathers the events of many requests into few durable calls, because a call costs Restate and PostgreSQL about the same with one event
 * as with hundreds. A call is sent when the previous one has returned, with all events that arrived since. Concurrent calls are sent only
 * when they are at least half full, because many small calls at once are slower than larger ones in turn.
 */
export function createGroupCommit<Answer, Part>(options: GroupCommitOptions<Answer, Part>): GroupCommit<Part> {
  const { flushEventsMax = FLUSH_EVENTS_MAX } = options
  let queue: Waiting<Part>[] = []
  const waits = { requests: 0, events: 0, bytes: 0 }
  let flushes = 0
  let isPumping = false
  /** Until then the next flush waits for the senders that the last one has just answered. */
  let gatherUntilMs = 0
  const connectionsInFlight = new Set<object>()

  const isHalfFull = ({ events, bytes }: { events: number; bytes: number }) =>
    events >= flushEventsMax / 2 || bytes >= FLUSH_BYTES_MAX / 2

  const count = (request: Waiting<Part>, sign: 1 | -1) => {
    waits.requests += sign
    waits.events += sign * request.count
    waits.bytes += sign * request.json.length
  }

  /**
   * The first requests that fit into a flush, without those whose connection waits for an earlier flush. Empty when they would not fill
   * half of it and another flush is running.
   */
  const takeGroup = (): Waiting<Part>[] => {
    const group: Waiting<Part>[] = []
    const rest: Waiting<Part>[] = []
    let events = 0
    let bytes = 0
    let isFull = false
    for (const request of queue) {
      if (request.state === 'gone') continue
      const isLate = isFull || connectionsInFlight.has(request.connection)
      if (!isLate) {
        isFull = group.length > 0 && (events + request.count > flushEventsMax || bytes + request.json.length > FLUSH_BYTES_MAX)
      }
      if (isLate || isFull) {
        rest.push(request)
        continue
      }
      events += request.count
      bytes += request.json.length
      group.push(request)
    }
    if (flushes > 0 && !isHalfFull({ events, bytes })) return []
    queue = rest
    for (const request of group) {
      count(request, -1)
      request.state = 'sent'
      connectionsInFlight.add(request.connection)
    }
    return group
  }

  const flush = async (group: Waiting<Part>[]) => {
    const startedMs = performance.now()
    flushes++
    await sendOrHalve(group, options)
    flushes--
    const nowMs = performance.now()
    if (group.length >= CROWD_REQUESTS) gatherUntilMs = nowMs + Math.min(GATHER_MS_MAX, GATHER_SHARE * (nowMs - startedMs))
    for (const { connection } of group) connectionsInFlight.delete(connection)
    pumpSoon()
  }

  const pump = () => {
    isPumping = false
    if (flushes === 0 && performance.now() < gatherUntilMs && !isHalfFull(waits)) {
      pumpSoon()
      return
    }
    while (flushes < options.flushesMax) {
      // While so little waits, no group can be half full.
      if (flushes > 0 && !isHalfFull(waits)) return
      const group = takeGroup()
      if (group.length === 0) return
      void flush(group)
    }
  }

  /** After everything that this turn of the event loop has read; after a flush of many requests, up to 10 ms later. */
  const pumpSoon = () => {
    if (isPumping || queue.length === 0) return
    isPumping = true
    const pauseMs = gatherUntilMs - performance.now()
    if (pauseMs <= 0 || isHalfFull(waits)) setImmediate(pump)
    else setTimeout(pump, pauseMs)
  }

  return {
    record: async (request) => {
      const { promise, resolve, reject } = Promise.withResolvers<Part>()
      const isTooMuch =
        waits.events + request.count > options.queueEventsMax || waits.bytes + request.json.length > options.queueBytesMax
      if (isTooMuch) {
        options.observer.turnedAway('queue_full')
        throw new DecidedError('unavailable', NOT_RECORDED)
      }
      const waiting: Waiting<Part> = { ...request, resolve, reject, context: contextOfRequest(), state: 'queued' }
      queue.push(waiting)
      count(waiting, 1)
      pumpSoon()
      return withDeadline(promise, options.deadlineMs, () => {
        if (waiting.state === 'queued') count(waiting, -1)
        waiting.state = 'gone'
      })
    },
    length: () => ({ ...waits, flushes }),
  }
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

/**
 * Sends a group and gives each request its part of the answer. A call that is refused as a whole is halved until the request that
 * causes it is alone. No event should cause that, but one that does must not fail its neighbours.
 */
async function sendOrHalve<Answer, Part>(
  requests: readonly Waiting<Part>[],
  options: GroupCommitOptions<Answer, Part>,
): Promise<void> {
  const group = requests.filter((request) => request.state !== 'gone')
  if (group.length === 0) return
  const events = group.reduce((sum, request) => sum + request.count, 0)
  const startedMs = performance.now()
  const observe = (isRecorded: boolean) => {
    const seconds = (performance.now() - startedMs) / 1_000
    options.observer.flushed({ requests: group.length, events, seconds, isRecorded })
  }
  try {
    const attributes = { 'footfall.requests': group.length, 'footfall.events': events }
    const contexts = group.map((request) => request.context)
    const items = group.map((request) => request.json)
    const send = () => options.send(bodyOfItems(items, options.list))
    const { answer, nextAllowed } = await inFlushSpan(contexts, attributes, send)
    const parts = options.partsOf(group, answer)
    observe(true)
    for (const [index, request] of group.entries()) request.resolve(parts[index]!)
    await nextAllowed
  } catch (error) {
    observe(false)
    if (group.length > 1 && isRefusedCall(error)) {
      const middle = group.length >> 1
      await sendOrHalve(group.slice(0, middle), options)
      await sendOrHalve(group.slice(middle), options)
      return
    }
    for (const request of group) request.reject(error)
  }
}
