import { resolve } from 'node:path'
import { checkRules } from './check.ts'
import type { IgnoredRows } from './mapping/ignored-rows.ts'
import type { Cleaning } from './mapping/cell.ts'
import type { ItemKind } from './mapping/item-kind.ts'
import { type Mapping, mappingOf } from './mapping/mapping.ts'
import type { RowChanges } from './mapping/row-changes.ts'
import { createRowMapper, type MapRecord } from './mapping/row-mapper.ts'
import { type Rule, type ValueMaps, withDefaults } from './mapping/rule.ts'
import type { Refusals } from './refusals.ts'
import { checkTempFolder, type RowReading } from './rows-to-import.ts'
import { readingOf } from './source/file-words.ts'
import { type FileForm, type SourceFile, sourceFileOf } from './source/source-file.ts'
import type { ValueReading } from './values/value-reading.ts'
import type { GatewayAccess } from './weights.ts'
import { UsageError } from '../../main/config/start-error.ts'

export interface ImportPlan extends ValueReading, RowReading {
  /** What the rows become. */
  kind: ItemKind
  paths: readonly string[]
  form: FileForm
  rules: readonly Rule[]
  values: ValueMaps
  cleaning?: Cleaning | undefined
  /** What is done to rows before rules see them. */
  changes?: RowChanges | undefined
  /** Rows that are no items. Without it every row is an item or is rejected. */
  ignored?: IgnoredRows | undefined
  /** Whether a column that a file does not have is read as empty. */
  mayMissColumns: boolean
  ingressUrl: string
  /** Rows per call, at most 10,000. */
  batchRows: number
  inFlightMax: number
  patienceMs: number
  rejectedPath: string
  refusals?: Refusals | undefined
  /** Where a dry run asks for weights; undefined for an import. */
  dryRun?: GatewayAccess | undefined
}

/** The files of an import, and how their records become items. */
export interface PreparedImport {
  files: SourceFile[]
  mapping: Mapping
  /** Of all files. */
  columns: ReadonlySet<string>
  mapRecord: MapRecord
}

/** Reads the start of every file and compares it with the rules, before the first row is sent. @throws StartError */
export async function prepareImport(plan: ImportPlan): Promise<PreparedImport> {
  checkRejectedPath(plan)
  checkTempFolder(plan)
  // One after the other, because a process may open a limited number of files.
  const files: SourceFile[] = []
  for (const path of plan.paths) files.push(await sourceFileOf(path, plan.form))
  for (const file of files) plan.onReading?.(readingOf(file))
  const columns = await checkRules(files, plan)
  const mapping = mappingOf(withDefaults(plan.rules, columns, plan.kind), plan)
  return { files, mapping, columns, mapRecord: createRowMapper(mapping) }
}

/** The file of rejected rows is overwritten, so it must not be an input. */
function checkRejectedPath({ paths, rejectedPath }: ImportPlan): void {
  if (paths.some((path) => resolve(path) === resolve(rejectedPath))) {
    throw new UsageError(`--rejected ${rejectedPath} is also a file to import: give another name.`)
  }
}
