import { DAY_MS, HOUR_MS } from '../contract/fields/time.ts'

/** The hours of a list, and the instants that its decayed sums refer to. */
export interface Span {
  /** The first hour; undefined for all hours before the end. */
  fromMs: number | undefined
  /** Its end; undefined for a span that ends now. */
  toMs: number | undefined
  /** Its last whole hour. The order is computed for this hour, so that all pages agree. */
  hourMs: number
  /** The instant that the list describes. */
  instantMs: number
  /** The beginning of the last day, and of the week before that day. Rising compares the day with the week. */
  lastDayMs: number
  weekBeforeMs: number
  /** Whether all of it, including the week that rising compares with, has hours and not only days. */
  isOfHours: boolean
}

interface SpanRequest {
  windowDays: number | undefined
  asOfMs: number | undefined
  /** Now, or the instant of the first page. */
  nowMs: number
  /** Only days exist before this instant, and no hours. */
  rolledToMs: number
}

/**
 * The last `windowDays` times 24 hours before an instant, beginning with a whole hour; with `asOfMs`, before the hour of that instant.
 * Where hours were rolled up, every edge is rounded down to the day.
 */
export function spanOf({ windowDays, asOfMs, nowMs, rolledToMs }: SpanRequest): Span {
  const cellStart = (hour: number) => (hour < rolledToMs ? Math.floor(hour / DAY_MS) * DAY_MS : hour)
  const hourMs = cellStart(hourOf(asOfMs ?? nowMs))
  const lastDayMs = cellStart(hourMs - DAY_MS)
  const weekBeforeMs = cellStart(lastDayMs - 7 * DAY_MS)
  const fromMs = windowDays === undefined ? undefined : cellStart(hourMs - windowDays * DAY_MS)
  return {
    fromMs,
    toMs: asOfMs === undefined ? undefined : hourMs,
    hourMs,
    instantMs: asOfMs === undefined ? nowMs : hourMs,
    lastDayMs,
    weekBeforeMs,
    isOfHours: fromMs !== undefined && Math.min(fromMs, weekBeforeMs) >= rolledToMs,
  }
}

/** The beginning of an instant's hour. */
function hourOf(milliseconds: number): number {
  return Math.floor(milliseconds / HOUR_MS) * HOUR_MS
}
