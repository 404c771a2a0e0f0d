import { DAY_MS } from '../../contract/fields/time.ts'

/**
 * The events of a wide batch are further apart. Its statements open the partitions of all months in between: with 325 of them a
 * batch of 1,000 events took PostgreSQL 200 ms of a processor, and one of the last year 44 ms.
 */
export const WIDE_MS = 366 * DAY_MS

/** Whether statements about events between these instants are about so many months. */
export function isWide({ from, to }: { from: Date | string; to: Date | string }): boolean {
  return new Date(to).getTime() - new Date(from).getTime() > WIDE_MS
}

/** Whether these events make a wide batch. */
export function areWide(rows: readonly { occurredAtMs: number }[]): boolean {
  let [firstMs, lastMs] = [Infinity, -Infinity]
  for (const { occurredAtMs } of rows) {
    firstMs = Math.min(firstMs, occurredAtMs)
    lastMs = Math.max(lastMs, occurredAtMs)
  }
  return lastMs - firstMs > WIDE_MS
}
