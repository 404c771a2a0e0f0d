import { allHold } from './condition.ts'
import { readOccurredAt, type TimeReading } from './occurred-at.ts'
import { cellOf, eventIdOf, type Row, textOf } from './row.ts'
import type { Rule, ValueMaps } from './rule.ts'
import { metadataKeyOf, NEEDED } from './target.ts'
import { Unreadable } from './unreadable.ts'

/** How rows become interactions: for each target field its rules, in the order in which they are tried. */
export interface Mapping {
  rulesOf: ReadonlyMap<string, readonly Rule[]>
  values: ValueMaps
  time: TimeReading
}

/** What is sent. The contract judges it on the other side; here it only has to be an event at all. */
export type Item = Record<string, unknown>

export interface Refusal {
  field: string | null
  reason: string
}

/** JSON's numbers that a double holds without loss; a text such as 0042 stays a text. */
const NUMBER = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/

export function mappingOf(rules: readonly Rule[], values: ValueMaps, time: TimeReading): Mapping {
  return { rulesOf: Map.groupBy(rules, (rule) => rule.target), values, time }
}

/** The interaction that a row says, or why it says none. */
export function mapRow(row: Row, mapping: Mapping): Item | Refusal {
  const item: Item = { ref_type: 'Product' }
  const metadata: [string, unknown][] = []
  for (const [target, rules] of mapping.rulesOf) {
    const cell = valueOf(rules, row, mapping.values.get(target))
    if (cell === undefined) continue
    const value = readField(target, cell, mapping.time)
    if (value instanceof Unreadable) return { field: target, reason: value.reason }
    const key = metadataKeyOf(target)
    if (key === undefined) item[target] = value
    else metadata.push([key, value])
  }
  if (metadata.length > 0) item['metadata'] = { ...(item['metadata'] as object | undefined), ...Object.fromEntries(metadata) }
  const missing = missingIn(item)
  if (missing !== undefined) return missing
  item['event_id'] ??= eventIdOf(row)
  return item
}

export function isRefusal(mapped: Item | Refusal): mapped is Refusal {
  return 'reason' in mapped
}

/** The value of the first rule whose conditions hold and that has one; '' and null are none. */
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

function readField(target: string, cell: unknown, time: TimeReading): unknown {
  if (target === 'occurred_at') return readOccurredAt(textOf(cell), time)
  if (target === 'metadata') return typeof cell === 'string' ? readJson(cell) : cell
  if (target === 'account_number' || metadataKeyOf(target) !== undefined) {
    return typeof cell === 'string' && NUMBER.test(cell) ? Number(cell) : cell
  }
  return textOf(cell)
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return new Unreadable('is not JSON')
  }
}

/** The first field that the event needs and no rule gave a value. */
function missingIn(item: Item): Refusal | undefined {
  const missing = NEEDED.find((fields) => fields.every((field) => item[field] === undefined))
  return missing && { field: missing[0]!, reason: `no rule gives ${missing.join(' or ')} a value` }
}
