import { type Condition, conditionsOf } from './condition.ts'
import type { ItemKind } from './item-kind.ts'
import type { DecimalMark } from '../values/number.ts'
import { UsageError } from '../../../main/config/start-error.ts'

/** A rule as the command takes it: `['map', 'ref_id=sku']` for `--map ref_id=sku`. */
export type RuleText = readonly ['map' | 'set', string]

/** Fills a field from a column, from several columns joined by blanks, or with a constant, in rows for which the conditions hold. */
export interface Rule {
  target: string
  source: { columns: readonly string[] } | { constant: string }
  conditions: readonly Condition[]
  /** The conditions as they are written, for sentences. */
  when?: string | undefined
  /** The text of the option, for messages. */
  text: string
  /** Whether files may lack the columns of the rule. */
  isOptional?: boolean
}

/** Field → value in the file → value to record. */
export type ValueMaps = ReadonlyMap<string, ReadonlyMap<string, string>>

const RULE = /^\s*([^\s=]+)\s*=\s*(?:"([^"]+)"|(.*?))(?:\s+if\s+(.+))?\s*$/
/** Joins columns, e.g. a date and a time. A column whose name has it is written in quotes. */
export const JOIN = ' + '
const DEFAULT = 'default'
const VALUE_MAP = /^\s*([^\s:]+?)\s*:(.+?)=(.*)$/

/**
 * Reads `FIELD=COLUMN [+ COLUMN …] [if CONDITION]` (map) or `FIELD=VALUE [if CONDITION]` (set).
 * @param mark the decimal mark of cells that a condition compares as numbers
 * @throws UsageError
 */
export function ruleOf(verb: RuleText[0], argument: string, kind: ItemKind, mark?: DecimalMark): Rule {
  const text = `--${verb} '${argument}'`
  const match = RULE.exec(argument)
  const [, target = '', quoted, plain, conditions] = match ?? []
  const value = quoted ?? plain ?? ''
  if (value === '') throw new UsageError(`${text}: a rule is FIELD=${verb === 'map' ? 'COLUMN' : 'VALUE'} [if CONDITION].`)
  checkTarget(target, text, kind)
  return {
    target,
    source: verb === 'set' ? { constant: value } : { columns: quoted === undefined ? value.split(JOIN) : [value] },
    conditions: conditions === undefined ? [] : conditionsOf(conditions, text, mark),
    when: conditions,
    text,
  }
}

/** Reads `FIELD:FROM=TO` value maps. @throws UsageError */
export function valueMapsOf(options: readonly string[], kind: ItemKind): ValueMaps {
  const maps = new Map<string, Map<string, string>>()
  for (const option of options) {
    const text = `--values '${option}'`
    const [, target, from, to] = VALUE_MAP.exec(option) ?? []
    if (target === undefined) throw new UsageError(`${text}: a value map is FIELD:FROM=TO.`)
    checkTarget(target, text, kind)
    const map = maps.get(target) ?? new Map<string, string>()
    maps.set(target, map.set(from!, to!))
  }
  return maps
}

/**
 * The rules of the options, then a rule for each column with the name of a field. Once a column is mapped, few names count, because
 * another column with a field's name may mean something else.
 */
export function withDefaults(rules: readonly Rule[], columns: Iterable<string>, kind: ItemKind): Rule[] {
  const mapped = rules.some((rule) => 'columns' in rule.source)
  const names = mapped ? Object.keys(kind.named) : new Set([...kind.fields, ...[...columns].filter(kind.isField)])
  const isExcluded = (name: string) =>
    mapped && kind.exclusive.includes(name) && rules.some(({ target }) => target !== name && kind.exclusive.includes(target))
  const defaultRule = (name: string): Rule => ({
    target: name,
    source: { columns: [name] },
    conditions: kind.named[name] ?? [],
    text: DEFAULT,
  })
  return [...rules, ...[...names].filter((name) => !isExcluded(name)).map(defaultRule)]
}

/** Whether no option gives the rule, but the name of a column. */
export function isDefault({ text }: Rule): boolean {
  return text === DEFAULT
}

/** The columns that a rule reads. */
export function columnsOf(rule: Rule): string[] {
  const columns = rule.conditions.map((condition) => condition.column)
  return 'columns' in rule.source ? [...rule.source.columns, ...columns] : columns
}

function checkTarget(target: string, text: string, kind: ItemKind): void {
  if (kind.isField(target)) return
  throw new UsageError(`${text}: ${target} is not a field of ${kind.noun}; the fields are ${kind.fieldsInWords}.`)
}
