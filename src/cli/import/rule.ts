import { type Condition, conditionsOf } from './condition.ts'
import type { ItemKind } from './item-kind.ts'
import { StartError } from '../../main/config/start-error.ts'

/** Fills a field from a column or with a constant, in rows for which the conditions hold. */
export interface Rule {
  target: string
  source: { column: string } | { constant: string }
  conditions: readonly Condition[]
  /** The text of the option, for messages. */
  text: string
}

/** Field → value in the file → value to record. */
export type ValueMaps = ReadonlyMap<string, ReadonlyMap<string, string>>

const RULE = /^\s*([^\s=]+)\s*=\s*(?:"([^"]+)"|(.*?))(?:\s+if\s+(.+))?\s*$/
const VALUE_MAP = /^\s*([^\s:]+?)\s*:(.+?)=(.*)$/

/** Reads `FIELD=COLUMN [if CONDITION]` (map) or `FIELD=VALUE [if CONDITION]` (set). @throws StartError */
export function ruleOf(verb: 'map' | 'set', argument: string, kind: ItemKind): Rule {
  const text = `--${verb} '${argument}'`
  const match = RULE.exec(argument)
  const [, target = '', quoted, plain, conditions] = match ?? []
  const value = quoted ?? plain ?? ''
  if (value === '') throw new StartError(`${text}: a rule is FIELD=${verb === 'map' ? 'COLUMN' : 'VALUE'} [if CONDITION].`)
  checkTarget(target, text, kind)
  return {
    target,
    source: verb === 'map' ? { column: value } : { constant: value },
    conditions: conditions === undefined ? [] : conditionsOf(conditions, text),
    text,
  }
}

/** Reads `FIELD:FROM=TO` value maps. @throws StartError */
export function valueMapsOf(options: readonly string[], kind: ItemKind): ValueMaps {
  const maps = new Map<string, Map<string, string>>()
  for (const option of options) {
    const text = `--values '${option}'`
    const [, target, from, to] = VALUE_MAP.exec(option) ?? []
    if (target === undefined) throw new StartError(`${text}: a value map is FIELD:FROM=TO.`)
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
  const mapped = rules.some((rule) => 'column' in rule.source)
  const names = mapped ? Object.keys(kind.named) : new Set([...kind.fields, ...[...columns].filter(kind.isField)])
  const defaultRule = (name: string): Rule => ({
    target: name,
    source: { column: name },
    conditions: kind.named[name] ?? [],
    text: 'default',
  })
  return [...rules, ...Array.from(names, defaultRule)]
}

/** The columns that a rule reads. */
export function columnsOf(rule: Rule): string[] {
  const columns = rule.conditions.map((condition) => condition.column)
  return 'column' in rule.source ? [rule.source.column, ...columns] : columns
}

function checkTarget(target: string, text: string, kind: ItemKind): void {
  if (kind.isField(target)) return
  throw new StartError(`${text}: ${target} is not a field of ${kind.noun}; the fields are ${kind.fieldsInWords}.`)
}
