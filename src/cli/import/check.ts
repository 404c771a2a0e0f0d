import type { IgnoredRows } from './mapping/ignored-rows.ts'
import type { ItemKind } from './mapping/item-kind.ts'
import { fittingRules } from './mapping/fitting-rules.ts'
import { columnOfPath, isPath, withoutPlaces } from './mapping/path.ts'
import { type Fragment, fragmentOf } from './mapping/proposal.ts'
import { columnsOf, type Rule } from './mapping/rule.ts'
import { type Columns, columnsIn } from './source/columns.ts'
import type { SourceFile } from './source/source-file.ts'
import { addressesIn, fetchFrom } from '../../ingress/addresses.ts'
import { StartError, UsageError } from '../../main/config/start-error.ts'

const HEALTH_MS_MAX = 5_000

/** What the columns of the files are compared with. */
interface Check {
  rules: readonly Rule[]
  kind: ItemKind
  mayMissColumns: boolean
  ignored?: IgnoredRows | undefined
}

/** Files whose problems are shown; more of them are alike. */
const FILES_SHOWN_MAX = 3

/**
 * Compares the rules with the first rows of every file, and names everything that does not fit.
 * @returns all columns found. @throws UsageError, StartError
 */
export async function checkRules(files: readonly SourceFile[], check: Check): Promise<Set<string>> {
  const all = new Set<string>()
  const problems: string[] = []
  for (const file of files) {
    const columns = await columnsIn(file)
    if (columns === undefined) continue
    const found = check.mayMissColumns ? [] : [...columnProblems(file, check, columns), ...needProblems(file, check, columns)]
    if (found.length > 0) problems.push([...found, ...commentLines(file)].join('\n'))
    for (const column of columns.names) all.add(column)
  }
  const more = problems.length - FILES_SHOWN_MAX
  if (more > 0)
    problems.splice(
      FILES_SHOWN_MAX,
      more,
      `The rules do not fit ${more === 1 ? '1 further file' : `${more} further files`} either.`,
    )
  if (problems.length > 0) throw new UsageError(problems.join('\n'))
  return all
}

/**
 * Finds misspelt columns before the first row is sent. They would be read as empty, and a second import with the right names would
 * change nothing, because each row keeps its event id.
 */
function columnProblems(file: SourceFile, { rules }: Check, columns: Columns): string[] {
  const missing = rules
    .filter(({ isOptional }) => isOptional !== true)
    .flatMap((rule) =>
      [...new Set(columnsOf(rule))].flatMap((column) => (hasColumn(file, columns, column) ? [] : [{ rule, column }])),
    )
  const has = `it has ${shown(columns.names)}${columns.paths.size === 0 ? '' : `, and in them ${shown(columns.paths)}`}`
  return missing.map(({ rule, column }, index) => {
    const problem = `${rule.text}: ${file.path} has no column ${JSON.stringify(column)}`
    return index < missing.length - 1 ? `${problem}.` : `${problem} (--allow-missing reads it as empty); ${has}.`
  })
}

/** A path is known by the first records of JSON and Parquet; a cell of CSV and Parquet may be a text of JSON. */
function hasColumn({ layout }: SourceFile, { names, paths }: Columns, column: string): boolean {
  if (names.has(column) || paths.has(withoutPlaces(column))) return true
  const outer = columnOfPath(column)
  const mayBeText = layout.is === 'csv' || (layout.is === 'parquet' && !isOuter(outer, paths))
  return mayBeText && isPath(column) && names.has(outer)
}

/** Whether a column has lists or objects. */
function isOuter(column: string, paths: ReadonlySet<string>): boolean {
  return [...paths].some((path) => columnOfPath(path) === column)
}

/** A header row that begins with # was taken for a comment. */
function commentLines({ layout }: SourceFile): string[] {
  if (layout.is !== 'csv' || !layout.hasComment || layout.csv.columns !== undefined) return []
  return ['Lines above that begin with # were skipped; if one of them is the header row, --columns names the columns.']
}

/** Names every field that is needed and not given, and the columns that may have them. */
function needProblems(file: SourceFile, { rules, kind, ignored }: Check, columns: Columns): string[] {
  const mapped = rules.some((rule) => 'columns' in rule.source)
  const targets = new Set(fittingRules(rules, file, columns.names, ignored).map((rule) => rule.target))
  const isGiven = (field: string) => targets.has(field) || (columns.names.has(field) && (!mapped || field in kind.named))
  const missing = kind.needed.filter((fields) => !fields.some(isGiven))
  if (missing.length === 0) return []
  const fields = missing.map((choices) => choices.join(' or ')).join('; ')
  return [
    `Nothing gives ${fields} for ${file.path}; its columns are ${shown(columns.names)}.`,
    ...proposalLines(fragmentOf(missing, columns, rules, kind), file),
  ]
}

function proposalLines({ fragment, columns, placeholders }: Fragment, { layout }: SourceFile): string[] {
  const when = placeholders === 0 ? '' : ' once the words in capitals are replaced'
  const headless = layout.is === 'csv' && layout.csv.columns === undefined
  return columns > 0
    ? [`By the names of its columns, this may be right${when}:`, `  ${fragment}`]
    : [
        ...(headless ? ['If its first row is no header, --columns names the columns.'] : []),
        `No column has a usual name. This is right${when}:`,
        `  ${fragment}`,
      ]
}

const SHOWN_MAX = 100

function shown(columns: ReadonlySet<string>): string {
  const names = Array.from(columns, (column) => JSON.stringify(column))
  return names.length <= SHOWN_MAX ? names.join(', ') : `${names.slice(0, SHOWN_MAX).join(', ')} and more`
}

/** @throws StartError when no Restate answers. */
export async function checkIngress(ingressUrl: string): Promise<void> {
  for (const address of addressesIn(ingressUrl)) {
    if (!URL.canParse(address)) throw new UsageError(`${address} is not an address of Restate: write http://127.0.0.1:8080.`)
  }
  const health = { signal: AbortSignal.timeout(HEALTH_MS_MAX) }
  const answer = await fetchFrom(ingressUrl, '/restate/health', health).catch(() => undefined)
  if (answer?.ok) return
  throw new StartError(`Restate does not answer at ${ingressUrl}: run npm start first, or set RESTATE_INGRESS_URL.`)
}
