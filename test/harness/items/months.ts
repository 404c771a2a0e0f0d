import type { Month, LogTableName } from '../../../src/store/log/month.ts'

/** A month's partition of a table of the log. */
export function partitionOf(table: LogTableName, month: Month): string {
  return `${table}_${month.replace('-', '_')}`
}
