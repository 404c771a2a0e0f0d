import type { IgnoredForm } from '../mapping/ignored-rows.ts'
import type { RowChanges } from '../mapping/row-changes.ts'
import type { RuleText } from '../mapping/rule.ts'
import type { Unit } from '../values/epoch.ts'
import type { TimeReading } from '../values/instant.ts'

/** How the files of a program or of a public data set become items. */
export interface Preset {
  /** As `--preset` takes it. */
  name: string
  /** What the files are, for --help. */
  files: string
  interactions: PresetRules
  /** Absent for files that have no products. */
  products?: PresetRules
}

export interface PresetRules extends PresetOptions {
  /** Rules as the command takes them, in the order in which they are tried. A column that a file does not have is read as empty. */
  rules: readonly RuleText[]
  /** Rows that are no items. Without it every row is an item or is rejected. */
  ignored?: IgnoredForm
  /** What is done to rows before rules see them. */
  changes?: RowChanges
}

/** Options of the command that a preset gives. Those of the command line win. */
export interface PresetOptions {
  values?: readonly string[]
  null?: readonly string[]
  timeFormat?: TimeReading['format']
  timeUnit?: Unit
  priceDecimals?: number | 'auto'
}

/** A rule for each name of an event that has an event type. */
export function eventTypes(column: string, types: Readonly<Record<string, string>>): RuleText[] {
  return Object.entries(types).map(([name, type]) => ['set', `event_type=${type} if ${column} = ${name}`])
}
