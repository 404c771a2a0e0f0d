import type { ItemKind } from './item-kind.ts'
import { normalised } from './header-names.ts'
import { columnOfPath, isPath } from './path.ts'
import { JOIN, type Rule } from './rule.ts'
import type { Columns } from '../source/columns.ts'

/** Options that may map a file. */
export interface Fragment {
  /** Words of a command line, as a POSIX shell reads them. */
  fragment: string
  /** How many columns it has. */
  columns: number
  /** How many words in capitals it has, which stand for a column or a value. */
  placeholders: number
}

/** A column or a path with the names that it may be known by. */
interface Candidate {
  column: string
  names: readonly string[]
}

/** A field that is often the same in all rows of a file. */
const OFTEN_CONSTANT = 'event_type'
/** Columns of a time that together are an instant. */
const DATE_AND_TIME: readonly (readonly [date: string, time: string])[] = [
  ['date', 'time'],
  ['eventdate', 'eventtime'],
  ['orderdate', 'ordertime'],
  ['datum', 'uhrzeit'],
  ['datum', 'zeit'],
]

/**
 * Proposes options for fields that nothing gives. While no column is mapped, it also proposes columns for the other fields, because
 * columns with the names of fields no longer count once one is mapped.
 * @param missing groups of fields; one field of each is needed
 */
export function fragmentOf(
  missing: readonly (readonly string[])[],
  columns: Columns,
  rules: readonly Rule[],
  kind: ItemKind,
): Fragment {
  const mapped = rules.flatMap(({ source }) => ('columns' in source ? source.columns : []))
  const targets = new Set(rules.map(({ target }) => target))
  const own =
    mapped.length > 0
      ? []
      : [...columns.names].filter((name) => kind.isField(name) && !(name in kind.named) && !targets.has(name))
  const isInOwn = ({ column }: Candidate) => own.includes(columnOfPath(column))
  const candidates = candidatesIn(columns).filter((each) => !isInOwn(each))
  const choose = createChooser(candidates, mapped, kind)
  const found = new Map(own.map((name) => [name, ruleWord(name)]))
  const add = (field: string) => {
    const value = found.has(field) || targets.has(field) ? undefined : choose(field)
    if (value !== undefined) found.set(field, value)
    return found.has(field)
  }
  if (mapped.length === 0) Object.keys(kind.headerNames).forEach(add)
  const lacking = missing.filter((choices) => !choices.some(add)).map(([field]) => field!)
  const options = [
    ...Array.from(found, ([field, value]) => `--map ${shellWord(`${field}=${value}`)}`),
    ...lacking.map((field) => (field === OFTEN_CONSTANT ? `--set ${field}=TYPE` : `--map ${field}=COLUMN`)),
  ]
  return { fragment: options.join(' '), columns: found.size, placeholders: lacking.length }
}

/** Chooses a column for a field; each column once, and elements of one list only. */
function createChooser(candidates: readonly Candidate[], taken: readonly string[], kind: ItemKind) {
  const used = new Set(taken)
  let list = taken.map(listOf).find((each) => each !== undefined)
  const isFree = ({ column }: Candidate) => !used.has(column) && [undefined, list ?? listOf(column)].includes(listOf(column))
  const free = (name: string) => candidates.find((each) => each.names.includes(name) && isFree(each))?.column
  const take = (...columns: string[]) => {
    for (const column of columns) used.add(column)
    list ??= columns.map(listOf).find((each) => each !== undefined)
    return columns.map(ruleWord).join(JOIN)
  }
  return (field: string): string | undefined => {
    for (const name of kind.headerNames[field] ?? []) {
      const pairs = field === 'occurred_at' ? DATE_AND_TIME.filter((names) => names.includes(name)) : []
      for (const names of [...pairs, [name]]) {
        const columns = names.flatMap((each) => free(each) ?? [])
        if (columns.length === names.length && (columns.length === 1 || !columns.some(mustBeQuoted))) return take(...columns)
      }
    }
    return undefined
  }
}

/** Columns first, then paths to single values, then paths into lists. Objects and lists themselves are no values. */
function candidatesIn({ names, paths }: Columns): Candidate[] {
  const parents = new Set(Array.from(paths, (path) => path.slice(0, path.endsWith('[]') ? -2 : path.lastIndexOf('.'))))
  const inLists = Map.groupBy([...paths].filter(isPath), (path) => path.includes('[]'))
  const all = [...names, ...(inLists.get(false) ?? []), ...(inLists.get(true) ?? [])]
  return all
    .filter((column) => !parents.has(column) && canBeWritten(column))
    .map((column) => ({ column, names: namesOf(column) }))
}

/** `properties.product.id` may be known as `product id`, too. */
function namesOf(column: string): string[] {
  const keys = column.replaceAll(/\[[^\]]*\]/g, '').split('.')
  return [column, keys.slice(-2).join(' '), keys.at(-1)!].map(normalised)
}

/** The list that a path goes into. */
function listOf(column: string): string | undefined {
  const end = isPath(column) ? column.lastIndexOf('[]') : -1
  return end === -1 ? undefined : column.slice(0, end)
}

/** Whether an option can name it: not with a quote in quotes, nor on several lines. */
function canBeWritten(column: string): boolean {
  return column !== '' && !/\p{C}|\p{Zl}|\p{Zp}/u.test(column) && !(mustBeQuoted(column) && column.includes('"'))
}

/** Whether a rule would read more than a name in it. */
function mustBeQuoted(column: string): boolean {
  return column.includes(JOIN) || /\sif\s|^["\s]|\s$/.test(column)
}

function ruleWord(column: string): string {
  return mustBeQuoted(column) ? `"${column}"` : column
}

function shellWord(text: string): string {
  return /^[\p{L}\p{N}_.,:=@%+/-]+$/u.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
