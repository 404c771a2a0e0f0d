import { DecidedError } from '../../contract/decided-error.ts'
import { randomUUID } from 'node:crypto'
import { KINDS } from '../../contract/kinds.ts'
import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import type { GatewayObserver, QueueLength } from '../http/observer.ts'

import { bodyOfItems, type EventsBody, recordedOrPaced, type Recorder } from '../../ingress/recorder.ts'
import { isRefusedCall } from '../../ingress/refusal.ts'
import { contextOfRequest, inFlushSpan } from '../http/tracing.ts'

/**
 * A flush has at most this much, unless a single request has more. With 1,000 events, batches of 1,000 came in at 0.68–0.73 of
 * the SQL's rate, and with 4,000 at 0.86–0.88: what a call costs beside its rows is shared by more of them.
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
  /** What each request is told of it. */
  partsOf: (group: readonly Pick<RequestEvents, 'count'>[], answer: Answer) => Part[]
  /** Flushes on their way at once, when each of them is full. */
  flushesMax: number
  /** What may wait; a request beyond it is turned away. */
  queueEventsMax: number
  queueBytesMax: number
  /** How long a request waits for its answer. */
  deadlineMs: number
  observer: Pick<GatewayObserver, 'flushed' | 'turnedAway'>
}

export interface Sent<Answer> {
  answer: Answer
  /** When the next call may go, if that is later. */
  done?: Promise<unknown>
}

/** The events of one request. */
export interface RequestEvents {
  /** As JSON, with commas between them. */
  json: string
  count: number
  /** Its connection: what comes over one is recorded in the order in which it came. */
  connection: object
}

export interface GroupCommit<Part = CreateInteractionResponse> {
  /** Resolves when the request's events are recorded, with its own part of the answer. */
  record: (request: RequestEvents) => Promise<Part>
  length: () => QueueLength
}

/**
 * After a flush of many requests their senders are about to send the next ones: the next flush waits for them, for a part of
 * the time that the last one took. With 256 connections, waiting 0 / 5 / 10 / 15 ms gave 3,819 / 3,901 / 4,519 / 4,652 events/s,
 * and 121 / 103 / 103 / 102 ms at p99. Who comes alone does not wait.
 */
const CROWD_REQUESTS = 8
const GATHER_SHARE = 0.5
const GATHER_MS_MAX = 10

interface Waiting<Part> extends RequestEvents {
  resolve: (part: Part) => void
  reject: (reason: unknown) => void
  /** Leads from the request's trace to its flush. */
  context: ReturnType<typeof contextOfRequest>
  /** One that is gone was answered already, because its time was up. */
  state: 'queued' | 'sent' | 'gone'
}

/**
 * Gathers the events of many requests into few durable calls: each costs Restate and PostgreSQL about the same, whether it
 * has one event or hundreds. A call goes out when the one before has returned, with all that came meanwhile; further ones
 * go beside it only when they are at least half full, because small calls side by side are slower than larger ones in turn.
 */
export function createGroupCommit<Answer, Part>(options: GroupCommitOptions<Answer, Part>): GroupCommit<Part> {
  const { flushEventsMax = FLUSH_EVENTS_MAX } = options
  let queue: Waiting<Part>[] = []
  const waits = { requests: 0, events: 0, bytes: 0 }
  let flushes = 0
  let isPumping = false
  /** Until then who was just answered may come back. */
  let gatherUntilMs = 0
  const connectionsInFlight = new Set<object>()

  const isHalfFull = (some: { events: number; bytes: number }) =>
    some.events >= flushEventsMax / 2 || some.bytes >= FLUSH_BYTES_MAX / 2

  const count = (request: Waiting<Part>, sign: 1 | -1) => {
    waits.requests += sign
    waits.events += sign * request.count
    waits.bytes += sign * request.json.length
  }

  /**
   * The first requests that fit into a flush, and none whose connection waits for an earlier flush. None at all when they
   * would not fill half of it and another flush is on its way.
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
      // As long as so little waits there is nothing to look for.
      if (flushes > 0 && !isHalfFull(waits)) return
      const group = takeGroup()
      if (group.length === 0) return
      void flush(group)
    }
  }

  /** After everything that this turn of the event loop has read; in a crowd, a moment later. */
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
        throw new DecidedError('unavailable', 'too much waits here already; nothing of this request was recorded, send it again')
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
 * Sends a group and gives each request its part of the answer. A group that is refused as such (which no event should
 * bring about, and one that does must harm itself alone) is halved until the request that it is about stands alone.
 */
async function sendOrHalve<Answer, Part>(
  requests: readonly Waiting<Part>[],
  options: GroupCommitOptions<Answer, Part>,
): Promise<void> {
  const group = requests.filter((request) => request.state !== 'gone')
  if (group.length === 0) return
  const events = group.reduce((sum, request) => sum + request.count, 0)
  const startedMs = performance.now()
  const tell = (isRecorded: boolean) =>
    options.observer.flushed({
      requests: group.length,
      events,
      seconds: (performance.now() - startedMs) / 1_000,
      isRecorded,
    })
  try {
    const attributes = { 'footfall.requests': group.length, 'footfall.events': events }
    const contexts = group.map((request) => request.context)
    const items = group.map((request) => request.json)
    const send = () => options.send(bodyOfItems(items, options.list))
    const { answer, done } = await inFlushSpan(contexts, attributes, send)
    const parts = options.partsOf(group, answer)
    tell(true)
    for (const [index, request] of group.entries()) request.resolve(parts[index]!)
    await done
  } catch (error) {
    tell(false)
    if (group.length > 1 && isRefusedCall(error)) {
      const middle = group.length >> 1
      await sendOrHalve(group.slice(0, middle), options)
      await sendOrHalve(group.slice(middle), options)
      return
    }
    for (const request of group) request.reject(error)
  }
}

/** Records the events, and answers when they are recorded. */
export function recordsOf(recorder: Recorder) {
  return {
    send: async (body: EventsBody) => ({ answer: await recorder.record(body) }),
    partsOf: answersOf,
    list: KINDS[recorder.kind].list,
  }
}

/**
 * Answers as soon as Restate has the events. The next call waits for their being recorded all the same, a second at most.
 */
export function submissionsOf(recorder: Recorder) {
  return {
    send: async (body: EventsBody) => {
      const options = { idempotencyKey: randomUUID() }
      const { invocationId } = await recorder.submit(body, options)
      return { answer: invocationId, done: recordedOrPaced(recorder.record(body, options)) }
    },
    partsOf: (group: readonly unknown[], invocationId: string) => group.map(() => invocationId),
    list: KINDS[recorder.kind].list,
  }
}

/** What the answer to a flush says about each of its requests, with indexes of that request. */
export function answersOf(
  group: readonly Pick<RequestEvents, 'count'>[],
  answer: CreateInteractionResponse,
): CreateInteractionResponse[] {
  let offset = 0
  let duplicate = 0
  let refused = 0
  return group.map(({ count }) => {
    const end = offset + count
    const own: CreateInteractionResponse = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }
    for (; duplicate < answer.duplicate_indexes.length && answer.duplicate_indexes[duplicate]! < end; duplicate++) {
      own.duplicate_indexes.push(answer.duplicate_indexes[duplicate]! - offset)
    }
    for (; refused < answer.rejected.length && answer.rejected[refused]!.index < end; refused++) {
      own.rejected.push({ ...answer.rejected[refused]!, index: answer.rejected[refused]!.index - offset })
    }
    own.duplicates = own.duplicate_indexes.length
    own.accepted = count - own.duplicates - own.rejected.length
    offset = end
    return own
  })
}
