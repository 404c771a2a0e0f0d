import { DecidedError } from '../../contract/decided-error.ts'
import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import type { GatewayObserver, QueueLength } from '../http/observer.ts'
import { contextOfRequest } from '../http/tracing.ts'
import { NOT_RECORDED } from './call-gate.ts'
import {
  firstGroup,
  FLUSH_BYTES_MAX,
  FLUSH_EVENTS_MAX,
  type FlushOptions,
  type RequestEvents,
  sendOrHalve,
  type Waiting,
} from './flush.ts'

export interface GroupCommitOptions<Answer, Part> extends FlushOptions<Answer, Part> {
  /** Events of a flush, when that is less than FLUSH_EVENTS_MAX. */
  flushEventsMax?: number
  /** Concurrent flushes, when each of them is full. */
  flushesMax: number
  /** Events and bytes that may wait; a request beyond that is turned away. */
  queueEventsMax: number
  queueBytesMax: number
  /** How long a request waits for its answer. */
  deadlineMs: number
  observer: Pick<GatewayObserver, 'flushed' | 'turnedAway'>
}

export interface GroupCommit<Part = CreateInteractionResponse> {
  /** Resolves when the request's events are recorded, with its own part of the answer. */
  record: (request: RequestEvents) => Promise<Part>
  length: () => QueueLength
}

/**
 * A flush of many requests is answered to many senders together, and they are about to send their next requests. The next flush waits
 * for these, for a part of the time that the last flush took. With 256 connections, waiting 0 / 5 / 10 / 15 ms gave 3,819 / 3,901 /
 * 4,519 / 4,652 events/s, and 121 / 103 / 103 / 102 ms at p99. A lone request does not wait.
 */
const CROWD_REQUESTS = 8
const GATHER_SHARE = 0.5
const GATHER_MS_MAX = 10

/**
 * Gathers the events of many requests into few durable calls, because a call costs Restate and PostgreSQL about the same with one event
 * as with hundreds. A call is sent when the previous one has returned, with all events that arrived since. Concurrent calls are sent only
 * when they are at least half full, because many small concurrent calls are slower than larger ones in turn.
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

  /** Takes the first requests that fit into a flush; none while another flush is running and they would not fill half of one. */
  const takeGroup = (): Waiting<Part>[] => {
    const isBusy = (connection: object) => connectionsInFlight.has(connection)
    const { group, rest, ...size } = firstGroup(queue, { eventsMax: flushEventsMax, isBusy })
    if (flushes > 0 && !isHalfFull(size)) return []
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
      // When less than half a flush waits, no group can be half full.
      if (flushes > 0 && !isHalfFull(waits)) return
      const group = takeGroup()
      if (group.length === 0) return
      void flush(group)
    }
  }

  /** Pumps after this turn of the event loop has read all its requests; after a flush of many requests, up to 10 ms later. */
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
