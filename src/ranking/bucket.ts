import type { ReportWindow } from '../contract/report.ts'
import { DAY_MS, instantOf } from '../contract/time.ts'

/** A UTC day as `2026-03-01`. */
export type Day = string

/** Whole days of UTC, the last one included. */
export interface Days {
  from: Day
  to: Day
}

/** How many days a bucket has. */
export const BUCKET_DAYS: Record<ReportWindow, number> = { day: 1, week: 7 }

/** A Monday: ISO weeks begin like it. Everything that was ever recorded is later. */
const MONDAY_MS = Date.parse('1999-12-27T00:00:00Z')

export function dayOf(milliseconds: number): Day {
  return instantOf(milliseconds).slice(0, 10)
}

export function daysAfter(day: Day, count: number): Day {
  return dayOf(startOf(day) + count * DAY_MS)
}

/** How many days a range has. */
export function daysIn({ from, to }: Days): number {
  return (startOf(to) - startOf(from)) / DAY_MS + 1
}

/** The first day of the bucket that a day is in. */
export function bucketOf(window: ReportWindow, day: Day): Day {
  const days = (startOf(day) - MONDAY_MS) / DAY_MS
  const size = BUCKET_DAYS[window]
  return daysAfter(day, -(((days % size) + size) % size))
}

/** The last day of a bucket. */
export function lastDayOf(window: ReportWindow, bucket: Day): Day {
  return daysAfter(bucket, BUCKET_DAYS[window] - 1)
}

/** A range from the beginning of its first bucket to the end of its last one. */
export function wholeBuckets(window: ReportWindow, { from, to }: Days): Days {
  return { from: bucketOf(window, from), to: lastDayOf(window, bucketOf(window, to)) }
}

/** The first days of the buckets of a range of whole ones. */
export function bucketsOf(window: ReportWindow, days: Days): Day[] {
  return Array.from({ length: bucketsIn(window, days) }, (_, place) => daysAfter(days.from, place * BUCKET_DAYS[window]))
}

/** How many buckets a range of whole ones has. */
export function bucketsIn(window: ReportWindow, days: Days): number {
  return daysIn(days) / BUCKET_DAYS[window]
}

function startOf(day: Day): number {
  return Date.parse(`${day}T00:00:00Z`)
}
