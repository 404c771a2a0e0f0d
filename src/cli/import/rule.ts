import { type Condition, conditionsOf } from './condition.ts'
import type { ItemKind } from './item-kind.ts'
import { StartError } from '../../main/config/start-error.ts'

/** Gives a target field its value, from a column or as a constant, for the rows for which its conditions hold. */
export interface Rule {
  target: string
  source: { column: string } | { constant: string }
  conditions: readonly Condition[]
  /** As it was given, to be named in a problem. */
  text: string
}

/** Target field → value as it is → value as it shall be. */
export type ValueMaps = ReadonlyMap<string, ReadonlyMap<string, string>>

const RULE = /^\s*([^\s=]+)\s*=\s*(?:"([^"]+)"|(.*?))(?:\s+if\s+(.+))?\s*$/
const VALUE_MAP = /^\s*([^\s:]+?)\s*:(.+?)=(.*)$/

/** Reads `FIELD=COLUMN [if CONDITION]` (map) or `FIELD=VALUE [if CONDITION]` (set). @throws StartError */
export function ruleOf(verb: 'map' | 'set', given: string, kind: ItemKind): Rule {
  const text = `--${verb} '${given}'`
  const match = RULE.exec(given)
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
export function valueMapsOf(given: readonly string[], kind: ItemKind): ValueMaps {
  const maps = new Map<string, Map<string, string>>()
  for (const each of given) {
    const text = `--values '${each}'`
    const [, target, from, to] = VALUE_MAP.exec(each) ?? []
    if (target === undefined) throw new StartError(`${text}: a value map is FIELD:FROM=TO.`)
    checkTarget(target, text, kind)
    const map = maps.get(target) ?? new Map<string, string>()
    maps.set(target, map.set(from!, to!))
  }
  return maps
}

/**
 * The rules in force: those given, then the fields that are columns of the same name. Once a column is mapped, only few fields
 * are: another column with a field's name may mean something else.
 */
export function withDefaults(given: readonly Rule[], columns: Iterable<string>, kind: ItemKind): Rule[] {
  const mapped = given.some((rule) => 'column' in rule.source)
  const names = mapped ? Object.keys(kind.named) : new Set([...kind.fields, ...[...columns].filter(kind.isField)])
  const defaultRule = (name: string): Rule => ({
    target: name,
    source: { column: name },
    conditions: kind.named[name] ?? [],
    text: 'default',
  })
  return [...given, ...Array.from(names, defaultRule)]
}

/** The columns that a rule reads. */
export function columnsOf(rule: Rule): string[] {
  const columns = rule.conditions.map((condition) => condition.column)
  return 'column' in rule.source ? [rule.source.column, ...columns] : columns
}

function checkTarget(target: string, text: string, kind: ItemKind): void {
  if (kind.isField(target)) return
  throw new StartError(`${text}: ${target} is not a field of ${kind.noun}; those are ${kind.fieldsInWords}.`)
}
