import { StartError } from '../embedded/process.ts'
import { type Condition, conditionsOf } from './condition.ts'
import { FIELDS, isTarget } from './target.ts'

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
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const VALUE_MAP = /^\s*([^\s:]+?)\s*:(.+?)=(.*)$/

/** Reads `FIELD=COLUMN [if CONDITION]` (map) or `FIELD=VALUE [if CONDITION]` (set). @throws StartError */
export function ruleOf(kind: 'map' | 'set', given: string): Rule {
  const text = `--${kind} '${given}'`
  const match = RULE.exec(given)
  const [, target = '', quoted, plain, conditions] = match ?? []
  const value = quoted ?? plain ?? ''
  if (value === '') throw new StartError(`${text}: a rule is FIELD=${kind === 'map' ? 'COLUMN' : 'VALUE'} [if CONDITION].`)
  checkTarget(target, text)
  return {
    target,
    source: kind === 'map' ? { column: value } : { constant: value },
    conditions: conditions === undefined ? [] : conditionsOf(conditions, text),
    text,
  }
}

/** Reads `FIELD:FROM=TO` value maps. @throws StartError */
export function valueMapsOf(given: readonly string[]): ValueMaps {
  const maps = new Map<string, Map<string, string>>()
  for (const each of given) {
    const text = `--values '${each}'`
    const [, target, from, to] = VALUE_MAP.exec(each) ?? []
    if (target === undefined) throw new StartError(`${text}: a value map is FIELD:FROM=TO.`)
    checkTarget(target, text)
    const map = maps.get(target) ?? new Map<string, string>()
    maps.set(target, map.set(from!, to!))
  }
  return maps
}

/**
 * The rules in force: those given, then the fields that are columns of the same name. Once a column is mapped, the only such
 * field is event_id: another column with a field's name may mean something else.
 */
export function withDefaults(given: readonly Rule[], columns: Iterable<string>): Rule[] {
  const mapped = given.some((rule) => 'column' in rule.source)
  const names = mapped ? ['event_id'] : new Set([...FIELDS, ...[...columns].filter(isTarget)])
  return [...given, ...Array.from(names, defaultRule)]
}

/** A column that happens to be called event_id counts where it has a UUID; other numbers of events are not unique enough. */
function defaultRule(name: string): Rule {
  const conditions = name === 'event_id' ? [{ column: name, holds: (cell: string) => UUID.test(cell) }] : []
  return { target: name, source: { column: name }, conditions, text: 'default' }
}

/** The columns that a rule reads. */
export function columnsOf(rule: Rule): string[] {
  const columns = rule.conditions.map((condition) => condition.column)
  return 'column' in rule.source ? [rule.source.column, ...columns] : columns
}

function checkTarget(target: string, text: string): void {
  if (isTarget(target)) return
  throw new StartError(`${text}: ${target} is not a field of an interaction; those are ${FIELDS.join(', ')} and metadata.<key>.`)
}
