import type { PartEnd } from '../../admission/item-parts.ts'
import { bodyOfItems, type EventsBody, type ItemsJson, type RecordOptions } from '../../ingress/recorder.ts'
import { isRefusedCall } from '../../ingress/refusal.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { type contextOfRequest, inFlushSpan } from '../http/tracing.ts'

/**
 * A flush has at most this much, unless a single request has more. Batches of 1,000 events came in at 0.68–0.73 of the SQL's rate, and
 * batches of 4,000 at 0.86–0.88, because more rows share the fixed cost of a call.
 */
export const FLUSH_EVENTS_MAX = 4_000
export const FLUSH_BYTES_MAX = 1024 * 1024

/** The events of one request. */
export interface RequestEvents {
  json: ItemsJson
  count: number
  /** Where the parts end in which it is recorded; absent for one part. */
  partEnds?: readonly PartEnd[]
  /** The size of the request that this is a part of; absent when it is whole. */
  whole?: { count: number; bytes: number }
  /** Whether it has events of long ago; such events and current ones are never in one flush. */
  isOld?: boolean
  /** The positions of items of which little is kept when they are rejected. */
  keptShort?: readonly number[] | undefined
  /** The key of the recorder that gets them, when their outcome is not waited for. Events of different recorders are never in one flush. */
  recorder?: string
  /** Its caller: the events of one caller do not hold up those of another. */
  caller: string
  /** Its caller, and of a publishable key also the address; the caller if absent. */
  sender?: string
  /** Its connection: the requests of one connection are recorded in the order in which they came. */
  connection: object
}

export interface Sent<Answer> {
  answer: Answer
  /** Resolves when the next call may be sent; immediately if undefined. */
  nextAllowed?: Promise<unknown>
}

export interface SendOptions extends Pick<RecordOptions, 'keptShort'> {
  recorder: string
}

export interface FlushOptions<Answer, Part> {
  /** The name of the list in the body of a call. */
  list: string
  /** Records events in one durable call; safe to repeat, because every event has its identity. */
  send: (body: EventsBody, options: SendOptions) => Promise<Sent<Answer>>
  /** Each request's part of the answer, in the order of the group. */
  partsOf: (group: readonly Pick<RequestEvents, 'count'>[], answer: Answer) => Part[]
  /** The answer to a request from those to its parts; without it requests are recorded whole. */
  wholeOf?: (parts: readonly Pick<RequestEvents, 'count'>[], answers: readonly Part[]) => Part
  observer: Pick<GatewayObserver, 'flushed'>
}

/** A request whose caller waits for its part of an answer. */
export interface Waiting<Part> extends RequestEvents {
  resolve: (part: Part) => void
  reject: (reason: unknown) => void
  /** Leads from the request's trace to its flush. */
  context: ReturnType<typeof contextOfRequest>
  /** A request that is gone was answered already, because its deadline passed. */
  state: 'queued' | 'sent' | 'gone'
}

/**
 * Sends a group and gives each request its part of the answer. A call that is refused as a whole is halved until the request that
 * causes it is alone. No event should cause that, but one that does must not fail its neighbours.
 */
export async function sendOrHalve<Answer, Part>(
  requests: readonly Waiting<Part>[],
  options: FlushOptions<Answer, Part>,
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
    const recorder = group[0]!.recorder ?? ''
    const send = () => options.send(bodyOfItems(items, options.list), { keptShort: keptShortOf(group), recorder })
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

/** The positions in the call of all items of which little is kept. */
function keptShortOf(group: readonly RequestEvents[]): number[] {
  let offset = 0
  return group.flatMap(({ count, keptShort = [] }) => {
    const start = offset
    offset += count
    return keptShort.map((position) => start + position)
  })
}
