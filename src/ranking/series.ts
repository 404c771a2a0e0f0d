import { DAY_MS, HOUR_MS } from '../contract/fields/time.ts'

/** The hours or days of a series. */
export interface Steps {
  step: 'hour' | 'day'
  stepMs: number
  /** The beginning of the first one. */
  fromMs: number
  count: number
  /** Cells from this instant on are left out: a sender's clock may be ahead of the last hour or day. */
  beforeMs: number
  /** Whether part of it has days only, and no hours. */
  hasDays: boolean
}

interface StepsRequest {
  hours: number
  /** Up to so many hours are shown one by one. */
  hourlyMax: number
  asOfMs: number | undefined
  nowMs: number
  /** Only days exist before this instant, and no hours. */
  rolledToMs: number
}

/**
 * The last so many hours, the one that runs included; with `asOfMs`, those before the hour of that instant. Days for longer ranges, and
 * where hours were rolled up.
 */
export function stepsOf({ hours, hourlyMax, asOfMs, nowMs, rolledToMs }: StepsRequest): Steps {
  const endMs = asOfMs === undefined ? undefined : endOf(asOfMs, rolledToMs)
  const lastHourMs = floorTo(HOUR_MS, (endMs ?? nowMs + HOUR_MS) - HOUR_MS)
  const firstHourMs = lastHourMs - (hours - 1) * HOUR_MS
  if (hours <= hourlyMax && firstHourMs >= rolledToMs) {
    const beforeMs = lastHourMs + HOUR_MS
    return { step: 'hour', stepMs: HOUR_MS, fromMs: firstHourMs, count: hours, beforeMs, hasDays: false }
  }
  const count = Math.ceil((hours * HOUR_MS) / DAY_MS)
  const fromMs = floorTo(DAY_MS, lastHourMs) - (count - 1) * DAY_MS
  const beforeMs = endMs ?? fromMs + count * DAY_MS
  return { step: 'day', stepMs: DAY_MS, fromMs, count, beforeMs, hasDays: fromMs < rolledToMs }
}

/** Where a series of the past ends: at the hour, or at the day where only days are known. */
function endOf(asOfMs: number, rolledToMs: number): number {
  const hourMs = floorTo(HOUR_MS, asOfMs)
  return hourMs < rolledToMs ? floorTo(DAY_MS, hourMs) : hourMs
}

function floorTo(unitMs: number, milliseconds: number): number {
  return Math.floor(milliseconds / unitMs) * unitMs
}
