import { allHold } from './condition.ts'
import type { TimeReading } from './instant.ts'
import type { Item, ItemKind } from './item-kind.ts'
import { cellOf, type Row, textOf } from './row.ts'
import type { Rule, ValueMaps } from './rule.ts'
import { Unreadable } from './unreadable.ts'

/** How rows become items: the rules of each field, in the order in which they are tried. */
export interface Mapping {
  kind: ItemKind
  rulesOf: ReadonlyMap<string, readonly Rule[]>
  values: ValueMaps
  time: TimeReading
}

/** Why a row is rejected. */
export interface RowRejection {
  field: string | null
  reason: string
}

export function mappingOf(
  rules: readonly Rule[],
  { kind, values, time }: { kind: ItemKind; values: ValueMaps; time: TimeReading },
): Mapping {
  return { kind, rulesOf: Map.groupBy(rules, (rule) => rule.target), values, time }
}

/** The item of a row, or why the row is rejected. */
export function mapRow(row: Row, { kind, rulesOf, values, time }: Mapping, file: { modifiedMs: number }): Item | RowRejection {
  const fields = new Map<string, unknown>()
  for (const [target, rules] of rulesOf) {
    const cell = valueOf(rules, row, values.get(target))
    if (cell === undefined) continue
    const value = kind.read(target, cell, time)
    if (value instanceof Unreadable) return { field: target, reason: value.reason }
    fields.set(target, value)
  }
  const missing = kind.needed.find((choices) => !choices.some((field) => fields.has(field)))
  if (missing === undefined) return kind.itemOf(fields, row, file)
  return { field: missing[0]!, reason: `no rule gives ${missing.join(' or ')} a value` }
}

export function isRowRejection(mapped: Item | RowRejection): mapped is RowRejection {
  return 'reason' in mapped
}

/** The value of the first rule that has a value and whose conditions hold; '' and null are no values. */
function valueOf(rules: readonly Rule[], row: Row, map: ReadonlyMap<string, string> | undefined): unknown {
  for (const { source, conditions } of rules) {
    if (!allHold(conditions, row)) continue
    const cell = 'constant' in source ? source.constant : cellOf(row, source.column)
    if (cell === undefined || cell === null || cell === '') continue
    const mapped = map?.get(textOf(cell)) ?? cell
    return mapped === '' ? undefined : mapped
  }
  return undefined
}
