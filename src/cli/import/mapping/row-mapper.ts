import type { Item } from './item-kind.ts'
import { isIgnored, type Mapping, mapRow } from './mapping.ts'
import { expanderOf } from './nested.ts'
import { createRowChanger } from './row-changes.ts'
import type { RowRejection } from './row-rejection.ts'
import { type BrokenRow, isBroken, type Row } from '../source/row.ts'

/** A row with the item that it became, or why it is rejected. */
export interface MappedRow {
  row: Row | BrokenRow
  mapped: Item | RowRejection
}

/** The items of a record: one, or one for each element of the list that rules name. Rows that are ignored are counted and left out. */
export type MapRecord = (record: Row | BrokenRow, file: { modifiedMs: number }) => MappedRow[]

/** @throws UsageError when rules name two lists. */
export function createRowMapper(mapping: Mapping): MapRecord {
  const rules = [...mapping.rulesOf.values()].flat()
  const expand = expanderOf(rules)
  const { changes, ignored } = mapping
  const change = changes && createRowChanger(changes)
  const isItem = (row: Row) => {
    if (!isIgnored(row, mapping)) return true
    ignored?.add(row)
    return false
  }
  return (record, file) => {
    if (isBroken(record)) return [{ row: record, mapped: { field: null, reason: record.reason } }]
    const row = change?.(record) ?? record
    if (expand === undefined && ignored === undefined) return [{ row, mapped: mapRow(row, mapping, file) }]
    const rows = expand?.(row) ?? [row]
    return rows.filter(isItem).map((row) => ({ row, mapped: mapRow(row, mapping, file) }))
  }
}
