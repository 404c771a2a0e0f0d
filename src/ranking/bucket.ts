import type { ReportWindow } from '../contract/report.ts'
import { DAY_MS } from '../contract/fields/time.ts'
import { type Day, type Days, daysAfter, daysIn, startOf } from './day.ts'

/** How many days a bucket of each window has. */
export const BUCKET_DAYS: Record<ReportWindow, number> = { day: 1, week: 7 }

/** A Monday, because ISO weeks begin on Monday. It is before everything that can be recorded. */
export const MONDAY: Day = '1999-12-27'

/** The first day of the bucket that a day is in. */
export function bucketOf(window: ReportWindow, day: Day): Day {
  const days = (startOf(day) - startOf(MONDAY)) / DAY_MS
  const size = BUCKET_DAYS[window]
  return daysAfter(day, -(((days % size) + size) % size))
}

/** The last day of a bucket. */
export function lastDayOf(window: ReportWindow, bucket: Day): Day {
  return daysAfter(bucket, BUCKET_DAYS[window] - 1)
}

/** The range, widened to the beginning of its first bucket and the end of its last one. */
export function wholeBuckets(window: ReportWindow, { from, to }: Days): Days {
  return { from: bucketOf(window, from), to: lastDayOf(window, bucketOf(window, to)) }
}

/** The first day of each bucket in a range of whole buckets. */
export function bucketsOf(window: ReportWindow, days: Days): Day[] {
  return Array.from({ length: bucketsIn(window, days) }, (_, place) => daysAfter(days.from, place * BUCKET_DAYS[window]))
}

/** How many buckets a range of whole buckets has. */
export function bucketsIn(window: ReportWindow, days: Days): number {
  return daysIn(days) / BUCKET_DAYS[window]
}
