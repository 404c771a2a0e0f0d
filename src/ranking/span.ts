const HOUR_MS = 3_600_000

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
}

export interface SpanRequest {
  windowDays: number | undefined
  asOfMs: number | undefined
  /** Now, or what the first page took for now. */
  nowMs: number
}

/** The last so many times 24 hours before an instant, beginning with a whole hour; with `as of`, before that hour. */
export function spanOf({ windowDays, asOfMs, nowMs }: SpanRequest): Span {
  const hourMs = hourOf(asOfMs ?? nowMs)
  return {
    fromMs: windowDays === undefined ? undefined : hourMs - windowDays * 24 * HOUR_MS,
    toMs: asOfMs === undefined ? undefined : hourMs,
    hourMs,
    instantMs: asOfMs === undefined ? nowMs : hourMs,
  }
}

/** The beginning of an instant's hour. */
export function hourOf(milliseconds: number): number {
  return Math.floor(milliseconds / HOUR_MS) * HOUR_MS
}
