import { addTo, type Counts } from './mapping/counts.ts'
import type { Item, ItemKind } from './mapping/item-kind.ts'
import { isRowRejection } from './mapping/mapping.ts'
import type { MapRecord } from './mapping/row-mapper.ts'
import type { RowRejection } from './mapping/row-rejection.ts'
import { createRefusals, type Refusals } from './refusals.ts'
import { type RowReading, rowsToPreview } from './rows-to-import.ts'
import { eventIdOf, type Row } from './source/row.ts'
import type { SourceFile } from './source/source-file.ts'
import { unreadable } from './values/unreadable.ts'

export const PREVIEW_ROWS_MAX = 10_000
const EXAMPLES = 3

/** What an import would do with the first rows of a file. */
export interface Preview {
  path: string
  /** Rows of the file, with those that a preset leaves out. */
  records: number
  /** Rows that are items, or should be; a list in a row gives several. */
  rows: number
  /** Whether the file has no further rows. */
  isWhole: boolean
  refused: number
  refusals: Refusals
  /** Rows whose items are the same as an earlier one of the file. */
  repeated: number
  /** How many of these rows have all their cells equal, and no id of their own. */
  equal: number
  examples: { line: number; item: Item }[]
  /** The earliest and the latest time of the items. */
  span: { firstMs: number; lastMs: number } | undefined
  eventTypes: Counts
  /** How many items would be recorded without each field. */
  withoutField: Counts
}

/** Maps and judges the first rows of a file. @throws StartError */
export async function previewOf(
  file: SourceFile,
  { kind, mapRecord, nowMs, reading }: { kind: ItemKind; mapRecord: MapRecord; nowMs: number; reading: RowReading },
): Promise<Preview> {
  const preview = emptyPreview(file.path)
  const keys = new Set<string>()
  for await (const { rows } of rowsToPreview(file, reading)) {
    for (const record of rows) {
      if (preview.records === PREVIEW_ROWS_MAX) return { ...preview, isWhole: false }
      preview.records++
      for (const { row, mapped } of mapRecord(record, file)) {
        if (preview.rows === PREVIEW_ROWS_MAX) return { ...preview, isWhole: false }
        preview.rows++
        if (isRowRejection(mapped)) refuse(preview, row.line, mapped)
        else addItem(preview, { row: row as Row, item: mapped }, kind.judge(mapped, nowMs), keys)
      }
    }
  }
  return preview
}

function emptyPreview(path: string): Preview {
  return {
    path,
    records: 0,
    rows: 0,
    isWhole: true,
    refused: 0,
    refusals: createRefusals(),
    repeated: 0,
    equal: 0,
    examples: [],
    span: undefined,
    eventTypes: new Map(),
    withoutField: new Map(),
  }
}

function refuse(preview: Preview, line: number, { field, reason }: RowRejection): void {
  preview.refused++
  preview.refusals.add([{ field, reason, line }])
}

/** The receiver's reasons do not have the value, which the sender knows. Here the rules may have changed it. */
function withValue({ field, reason }: RowRejection, item: Item): RowRejection {
  const value = field === null ? undefined : item[field]
  return typeof value === 'string' ? { field, reason: unreadable(value, reason).reason } : { field, reason }
}

function addItem(
  preview: Preview,
  { row, item }: { row: Row; item: Item },
  judged: ReturnType<ItemKind['judge']>,
  keys: Set<string>,
): void {
  if ('reason' in judged) return refuse(preview, row.line, withValue(judged, item))
  const { timeMs, key, withoutFields } = judged
  if (preview.examples.length < EXAMPLES) preview.examples.push({ line: row.line, item })
  if (keys.has(key)) {
    preview.repeated++
    if (item['event_id'] === eventIdOf(row)) preview.equal++
  }
  keys.add(key)
  const { firstMs, lastMs } = preview.span ?? { firstMs: timeMs, lastMs: timeMs }
  preview.span = { firstMs: Math.min(firstMs, timeMs), lastMs: Math.max(lastMs, timeMs) }
  const type = item['event_type']
  if (typeof type === 'string') addTo(preview.eventTypes, type)
  for (const field of withoutFields) addTo(preview.withoutField, field)
}
