import { createSendingCallers } from '../http/sending-callers.ts'
import { add, type Amount, createFlow, type Flow, flowKeyOf, isLarge, NOTHING, staysLight } from './flow.ts'
import { FLUSH_BYTES_MAX, type RequestEvents, type Waiting } from './flush.ts'
import type { LaneOptions } from './lane.ts'

export interface WaitingOptions extends LaneOptions {
  /** Events and bytes that may wait. A light flow may go beyond it by a quarter, so that one caller keeps no other out. */
  queueEventsMax: number
  queueBytesMax: number
}

/** The requests of all flows, until their events are recorded. */
export interface WaitingRequests<Part> {
  /** What waits in all flows. */
  waits: Readonly<Amount>
  /** Whether all parts of a request may wait. */
  hasRoomFor: (parts: readonly RequestEvents[]) => boolean
  add: (request: Waiting<Part>) => void
  /** The caller of a request does not wait any more; it is not sent when it was not sent yet. */
  drop: (request: Waiting<Part>) => void
  /** Flows with waiting requests; the flow that was served last is the last one. */
  flows: () => Flow<Part>[]
  /** The first requests of the flows that fit into one flush. A request waits for every earlier one of its connection. */
  choose: (flows: readonly Flow<Part>[], eventsMax: number) => Chosen<Part>
  /** The requests are on their way. */
  sent: (group: Chosen<Part>) => void
  /** The requests are on their way with those of other light flows. */
  sentLight: (requests: readonly Waiting<Part>[], nowMs: number) => void
  /** They are recorded, or have failed. */
  ended: (group: Chosen<Part>) => void
  flowOf: (request: RequestEvents) => Flow<Part>
  /** How many flows are remembered. */
  flowsKept: () => number
  /** Whether a flow is not the only one that sends now, and another one is light. */
  hasLightNeighbour: (flow: Flow<Part>, nowMs: number) => boolean
}

/** Requests that are sent together, in order. */
export interface Chosen<Part> {
  requests: Set<Waiting<Part>>
  events: number
  bytes: number
}

const LIGHT_ROOM = 5 / 4
/** For so long after its last flush a light flow counts as one that sends. */
const NEIGHBOUR_MS = 1_000
/** The same for flows of other callers, because large flushes hold up also a caller that sends an event now and then. */
const OTHERS_MS = 5_000
/** From so many flows on, those that are not used are forgotten. A flow takes some 1 KB. */
const FLOWS_MIN = 1_000

export function createWaitingRequests<Part>(options: WaitingOptions): WaitingRequests<Part> {
  const { queueEventsMax, queueBytesMax } = options
  const waits: Amount = { requests: 0, events: 0, bytes: 0 }
  /** By caller and size. Where no key is needed, a caller is an address, and there are any number of those. */
  const all = new Map<string, Flow<Part>>()
  let sweptAt = FLOWS_MIN
  /** The callers of light flows. */
  const light = createSendingCallers(OTHERS_MS)
  const withWaiting = new Set<Flow<Part>>()
  /** The requests of each connection that wait or are on their way, in order. */
  const ofConnection = new Map<object, Waiting<Part>[]>()

  const flowOf = (request: RequestEvents): Flow<Part> => {
    const key = flowKeyOf(request)
    const flow = all.get(key) ?? createFlow<Part>(options, request)
    all.set(key, flow)
    return flow
  }

  /** Forgets the flows that are not used, when there are twice as many flows as were used the last time. */
  const sweep = (nowMs: number) => {
    if (all.size < sweptAt) return
    for (const [key, { open, usedMs }] of all) if (open.requests === 0 && nowMs - usedMs >= NEIGHBOUR_MS) all.delete(key)
    sweptAt = Math.max(FLOWS_MIN, 2 * all.size)
  }

  const close = (request: Waiting<Part>) => {
    const flow = flowOf(request)
    add(flow.open, request, -1)
    flow.usedMs = performance.now()
    const left = ofConnection.get(request.connection)!.filter((other) => other !== request)
    if (left.length === 0) ofConnection.delete(request.connection)
    else ofConnection.set(request.connection, left)
  }

  const isNext = (request: Waiting<Part>, group: ReadonlySet<Waiting<Part>>) => {
    const requests = ofConnection.get(request.connection)!
    return requests[0] === request || requests.slice(0, requests.indexOf(request)).every((earlier) => group.has(earlier))
  }

  return {
    waits,
    flowOf,
    flowsKept: () => all.size,
    sentLight: (requests, nowMs) => {
      for (const request of requests) {
        flowOf(request).lightMs = nowMs
        light.note(request.caller)
      }
    },
    hasLightNeighbour: (flow, nowMs) => {
      if (light.hasOthers(flow.caller)) return true
      for (const other of all.values()) {
        if (other.caller === flow.caller && other !== flow && nowMs - other.lightMs < NEIGHBOUR_MS) return true
      }
      return false
    },
    hasRoomFor: (parts) => {
      const size: Amount = { requests: 0, events: 0, bytes: 0 }
      for (const part of parts) add(size, part, 1)
      const isLight = parts.every((part) =>
        staysLight(all.get(flowKeyOf(part)) ?? { isOld: part.isOld ?? false, isLarge: isLarge(part), open: NOTHING }, size),
      )
      const room = isLight ? LIGHT_ROOM : 1
      return waits.events + size.events <= room * queueEventsMax && waits.bytes + size.bytes <= room * queueBytesMax
    },
    add: (request) => {
      const nowMs = performance.now()
      sweep(nowMs)
      const flow = flowOf(request)
      flow.usedMs = nowMs
      flow.queue.push(request)
      withWaiting.add(flow)
      for (const amount of [waits, flow.waits, flow.open]) add(amount, request, 1)
      ofConnection.set(request.connection, [...(ofConnection.get(request.connection) ?? []), request])
    },
    drop: (request) => {
      const isSent = request.state === 'sent'
      request.state = 'gone'
      if (isSent) return
      const flow = flowOf(request)
      for (const amount of [waits, flow.waits]) add(amount, request, -1)
      close(request)
      // Deadlines pass in the order of the requests.
      while (flow.queue[0]?.state === 'gone') flow.queue.shift()
      if (flow.queue.length === 0) withWaiting.delete(flow)
    },
    flows: () => [...withWaiting],
    choose: (flows, eventsMax) => {
      const group: Chosen<Part> = { requests: new Set(), events: 0, bytes: 0 }
      for (const request of flows.flatMap(({ queue }) => queue)) {
        if (request.state !== 'queued' || !isNext(request, group.requests)) continue
        const [events, bytes] = [group.events + request.count, group.bytes + request.json.length]
        if (group.requests.size > 0 && (events > eventsMax || bytes > FLUSH_BYTES_MAX)) break
        Object.assign(group, { events, bytes })
        group.requests.add(request)
      }
      return group
    },
    sent: ({ requests }) => {
      for (const request of requests) {
        request.state = 'sent'
        for (const amount of [waits, flowOf(request).waits]) add(amount, request, -1)
      }
      for (const flow of new Set([...requests].map(flowOf))) {
        flow.queue = flow.queue.filter(({ state }) => state === 'queued')
        withWaiting.delete(flow)
        if (flow.queue.length > 0) withWaiting.add(flow)
      }
    },
    ended: ({ requests }) => requests.forEach(close),
  }
}
