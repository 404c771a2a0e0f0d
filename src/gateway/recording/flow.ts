import type { RequestEvents, Waiting } from './flush.ts'
import { createLane, type Lane, type LaneOptions } from './lane.ts'

/**
 * A flow with at most so much that waits or is on its way is light. Light flows share flushes, which take hardly longer than one with a
 * single event; every other flow has flushes of its own.
 */
const LIGHT_EVENTS_MAX = 100
const LIGHT_BYTES_MAX = 128 * 1024

/** The requests of a caller of about the same size and age, so that its large requests do not hold up its small ones. */
export interface Flow<Part> {
  caller: string
  /** The recorder of its events, if they have one. */
  recorder: string | undefined
  /** Whether its events are of long ago. It is never light, because a flush of many months takes several times as long. */
  isOld: boolean
  /** Whether its requests are too large for a light flow. The last part of a request can be small. */
  isLarge: boolean
  /** Requests that wait, in the order in which they came; some of them may be gone. */
  queue: Waiting<Part>[]
  /** What waits. */
  waits: Amount
  /** What waits or is on its way. */
  open: Amount
  /** Paces the flushes that have its requests. */
  lane: Lane
  /** When its last request came or was recorded, by performance.now(). */
  usedMs: number
  /** When its requests last went out with those of other light flows, by performance.now(). */
  lightMs: number
}

export interface Amount {
  requests: number
  events: number
  bytes: number
}

export const NOTHING: Amount = { requests: 0, events: 0, bytes: 0 }

export function createFlow<Part>(options: LaneOptions, request: Omit<RequestEvents, 'connection'>): Flow<Part> {
  const { caller, recorder, isOld = false } = request
  return {
    caller,
    recorder,
    isOld,
    isLarge: isLarge(request),
    queue: [],
    waits: { ...NOTHING },
    open: { ...NOTHING },
    lane: createLane({ ...options, isCostly: isOld }),
    usedMs: -Infinity,
    lightMs: -Infinity,
  }
}

/** What decides whether a flow is light. */
type Load = Pick<Flow<unknown>, 'isOld' | 'isLarge' | 'open'>

export function isLight({ isOld, isLarge, open }: Load): boolean {
  return !isOld && !isLarge && open.events <= LIGHT_EVENTS_MAX && open.bytes <= LIGHT_BYTES_MAX
}

/** Whether a flow stays light with so much more. */
export function staysLight({ isOld, isLarge, open }: Load, { events, bytes }: Omit<Amount, 'requests'>): boolean {
  return !isOld && !isLarge && open.events + events <= LIGHT_EVENTS_MAX && open.bytes + bytes <= LIGHT_BYTES_MAX
}

/** Requests of 1 to 10, to 100, to 1,000 and of more events, those of many bytes, and old ones are of different flows. */
export function flowKeyOf(request: Omit<RequestEvents, 'connection'>): string {
  const { caller, recorder = '', isOld = false } = request
  const { count, bytes } = sizeOf(request)
  const size = bytes > LIGHT_BYTES_MAX ? 'bytes' : String(count - 1).length
  return `${recorder} ${isOld ? 'old ' : ''}${size} ${caller}`
}

export function isLarge(request: Omit<RequestEvents, 'connection'>): boolean {
  const { count, bytes } = sizeOf(request)
  return count > LIGHT_EVENTS_MAX || bytes > LIGHT_BYTES_MAX
}

/** The size of the request that these events, or a part of them, came in. */
function sizeOf({ whole, count, json }: Omit<RequestEvents, 'connection'>): { count: number; bytes: number } {
  return whole ?? { count, bytes: json.length }
}

export function add(amount: Amount, { count, json }: Pick<RequestEvents, 'count' | 'json'>, sign: 1 | -1): void {
  amount.requests += sign
  amount.events += sign * count
  amount.bytes += sign * json.length
}
