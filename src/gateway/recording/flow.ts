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
  /** Whether its events are of long ago. It is never light, because a flush of many months takes several times as long. */
  isOld: boolean
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

export function createFlow<Part>(
  options: LaneOptions,
  { caller, isOld = false }: Pick<RequestEvents, 'caller' | 'isOld'>,
): Flow<Part> {
  return {
    caller,
    isOld,
    queue: [],
    waits: { ...NOTHING },
    open: { ...NOTHING },
    lane: createLane({ ...options, isCostly: isOld }),
    usedMs: -Infinity,
    lightMs: -Infinity,
  }
}

export function isLight({ isOld, open }: Pick<Flow<unknown>, 'isOld' | 'open'>): boolean {
  return !isOld && open.events <= LIGHT_EVENTS_MAX && open.bytes <= LIGHT_BYTES_MAX
}

/** Whether a flow stays light with so much more. */
export function staysLight(
  { isOld, open }: Pick<Flow<unknown>, 'isOld' | 'open'>,
  { events, bytes }: Omit<Amount, 'requests'>,
): boolean {
  return !isOld && open.events + events <= LIGHT_EVENTS_MAX && open.bytes + bytes <= LIGHT_BYTES_MAX
}

/** Requests of 1 to 10, to 100, to 1,000 and of more events, those of many bytes, and old ones are of different flows. */
export function flowKeyOf({ caller, count, json, isOld = false }: Omit<RequestEvents, 'connection'>): string {
  const size = json.length > LIGHT_BYTES_MAX ? 'bytes' : String(count - 1).length
  return `${isOld ? 'old ' : ''}${size} ${caller}`
}

export function add(amount: Amount, { count, json }: Pick<RequestEvents, 'count' | 'json'>, sign: 1 | -1): void {
  amount.requests += sign
  amount.events += sign * count
  amount.bytes += sign * json.length
}
