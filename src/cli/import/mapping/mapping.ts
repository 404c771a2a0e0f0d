import { type Cleaning, cleanCellOf } from './cell.ts'
import { allHold } from './condition.ts'
import type { Item, ItemKind } from './item-kind.ts'
import type { IgnoredRows } from './ignored-rows.ts'
import type { RowChanges } from './row-changes.ts'
import type { RowRejection } from './row-rejection.ts'
import type { Rule, ValueMaps } from './rule.ts'
import { type Row, textOf } from '../source/row.ts'
import type { ValueReading } from '../values/value-reading.ts'
import { Unreadable } from '../values/unreadable.ts'

/** How rows become items: the rules of each field, in the order in which they are tried. */
export interface Mapping extends ValueReading {
  kind: ItemKind
  rulesOf: ReadonlyMap<string, readonly Rule[]>
  values: ValueMaps
  cleaning?: Cleaning | undefined
  changes?: RowChanges | undefined
  /** Rows that are no items. Without it every row is an item or is rejected. */
  ignored?: IgnoredRows | undefined
}

export function mappingOf(rules: readonly Rule[], options: Omit<Mapping, 'rulesOf'>): Mapping {
  const { kind, values, cleaning, changes, ignored, time, mark, observed } = options
  const rulesOf = Map.groupBy(rules, (rule) => rule.target)
  return { kind, values, cleaning, changes, ignored, time, mark, observed, rulesOf }
}

/** The item of a row, or why the row is rejected. */
export function mapRow(row: Row, mapping: Mapping, file: { modifiedMs: number }): Item | RowRejection {
  const { kind, rulesOf, observed } = mapping
  const fields = new Map<string, unknown>()
  for (const [target, rules] of rulesOf) {
    const cell = valueOf(rules, row, mapping)
    if (cell === undefined) {
      if (target in kind.named) observed?.addUnused(target, textOf(cleanCellOf(row, target, mapping.cleaning)))
      continue
    }
    if (typeof cell === 'string') observed?.addText(cell, kind.ids.has(target))
    const value = kind.read(target, cell, mapping)
    if (value instanceof Unreadable) return { field: target, reason: value.reason }
    if (value !== undefined) fields.set(target, value)
  }
  const missing = kind.needed.find((choices) => !choices.some((field) => fields.has(field)))
  if (missing === undefined) return kind.itemOf(fields, { row, file, reading: mapping })
  return { field: missing[0]!, reason: `no rule gives ${missing.join(' or ')} a value` }
}

/** Whether a row is left out, because no rule gives the field without which it is no item. */
export function isIgnored(row: Row, mapping: Mapping): boolean {
  const { ignored, rulesOf } = mapping
  return ignored !== undefined && valueOf(rulesOf.get(ignored.without) ?? [], row, mapping) === undefined
}

export function isRowRejection(mapped: Item | RowRejection): mapped is RowRejection {
  return 'reason' in mapped
}

/** The value of the first rule that has a value and whose conditions hold; '' and null are no values. */
function valueOf(rules: readonly Rule[], row: Row, { values, cleaning }: Mapping): unknown {
  for (const { target, source, conditions } of rules) {
    if (!allHold(conditions, row, cleaning)) continue
    const cell = 'constant' in source ? source.constant : joinedCell(row, source.columns, cleaning)
    if (cell === undefined || cell === null || cell === '') continue
    const mapped = values.get(target)?.get(textOf(cell)) ?? cell
    return mapped === '' ? undefined : mapped
  }
  return undefined
}

/** The value of a column, or the texts of several columns that have a value, with blanks between them. A list or an object is no part of a text. */
function joinedCell(row: Row, columns: readonly string[], cleaning: Cleaning | undefined): unknown {
  if (columns.length === 1) return cleanCellOf(row, columns[0]!, cleaning)
  const cells = columns.map((column) => cleanCellOf(row, column, cleaning))
  const outer = cells.find((cell) => typeof cell === 'object' && cell !== null)
  const texts = cells.map(textOf).filter((text) => text !== '')
  return outer ?? texts.join(' ')
}
