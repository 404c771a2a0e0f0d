import { DAY_MS, HOUR_MS } from '../contract/time.ts'

/** The hours that a list is about, and what its decays are brought to. */
export interface Span {
  /** The first hour; undefined for all before the end. */
  fromMs: number | undefined
  /** Where it ends; undefined while it is still going on. */
  toMs: number | undefined
  /** The last whole hour of it: what its order is computed for, so that all pages agree. */
  hourMs: number
  /** The instant that it is about. */
  instantMs: number
  /** Where the last day before it begins, and where the week before that day: what rises is the one against the other. */
  lastDayMs: number
  weekBeforeMs: number
  /** Whether no part of it, and of what rises in it, lies where only days are known. */
  isOfHours: boolean
}

export interface SpanRequest {
  windowDays: number | undefined
  asOfMs: number | undefined
  /** Now, or what the first page took for now. */
  nowMs: number
  /** Before it only days are known, and not their hours. */
  rolledToMs: number
}

/**
 * The last so many times 24 hours before an instant, beginning with a whole hour; with `as of`, before that hour. Where hours
 * were made days of, every edge is floored to the day.
 */
export function spanOf({ windowDays, asOfMs, nowMs, rolledToMs }: SpanRequest): Span {
  const known = (hour: number) => (hour < rolledToMs ? Math.floor(hour / DAY_MS) * DAY_MS : hour)
  const hourMs = known(hourOf(asOfMs ?? nowMs))
  const lastDayMs = known(hourMs - DAY_MS)
  const weekBeforeMs = known(lastDayMs - 7 * DAY_MS)
  const fromMs = windowDays === undefined ? undefined : known(hourMs - windowDays * DAY_MS)
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
export function hourOf(milliseconds: number): number {
  return Math.floor(milliseconds / HOUR_MS) * HOUR_MS
}
