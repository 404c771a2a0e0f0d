import { UNIT_NAMES } from './values/epoch.ts'
import type { TimeReading } from './values/instant.ts'
import type { Cleaning } from './mapping/cell.ts'
import type { Mapping } from './mapping/mapping.ts'
import { columnOfPath, isPath } from './mapping/path.ts'
import { columnsOf, isDefault, type Rule } from './mapping/rule.ts'

const LISTED_MAX = 20
const quoted = (text: string) => JSON.stringify(text)

/** How fields get their values, a line for each way, and how times, numbers and empty cells are read. */
export function mappingLines(mapping: Mapping, columns: ReadonlySet<string>): string[] {
  const { kind, rulesOf, values, time, mark, cleaning } = mapping
  const isKnown = (column: string) => columns.has(column) || (isPath(column) && columns.has(columnOfPath(column)))
  const rules = Map.groupBy(
    [...rulesOf.values()].flatMap((each) => effectiveRules(each, isKnown)),
    ({ target }) => target,
  )
  const implied = kind.implied(new Set(rules.keys()))
  const fields = [...new Set([...kind.fields, ...rules.keys()])]
    .map((field) => ({
      field,
      ways: waysOf(rules.get(field) ?? [], implied[field], isKnown),
      changes: changesOf(values.get(field)),
    }))
    .filter(({ ways }) => ways.length > 0)
  const width = Math.max(0, ...fields.map(({ field }) => field.length))
  const separators = `Numbers have a decimal ${mark === ',' ? 'comma' : 'point'}, and may have separators of thousands.`
  return [
    `Fields of ${kind.noun}:`,
    ...fields.flatMap(({ field, ways: [first, ...others], changes }) => [
      `  ${field.padEnd(width)}  ${first}`,
      ...[...others.map((way) => `otherwise ${way}`), ...changes].map((line) => `  ${' '.repeat(width)}  ${line}`),
    ]),
    timeSentence(time),
    ...(mark === undefined ? [] : [separators]),
    ...cleaningSentences(cleaning),
    ...unreadSentences([...rules.values()].flat(), columns),
  ]
}

/** The rules that may give a value in these files, up to a constant for all rows. */
function effectiveRules(rules: readonly Rule[], isKnown: (column: string) => boolean): Rule[] {
  const possible = rules.filter((rule) => {
    if (isDefault(rule)) return columnsOf(rule).every(isKnown)
    if (rule.isOptional !== true) return true
    const hasSource = 'constant' in rule.source || rule.source.columns.some(isKnown)
    return hasSource && rule.conditions.every(({ column, holds }) => isKnown(column) || holds(''))
  })
  const last = possible.findIndex(isCertain)
  return last === -1 ? possible : possible.slice(0, last + 1)
}

/** Whether a rule gives every row a value. */
function isCertain({ source, conditions }: Rule): boolean {
  return 'constant' in source && conditions.length === 0
}

function waysOf(rules: readonly Rule[], implied: string | undefined, isKnown: (column: string) => boolean): string[] {
  const ways = rules.map((rule) => wordsOf(rule, isKnown))
  return implied === undefined || rules.some(isCertain) ? ways : [...ways, implied]
}

function changesOf(values: ReadonlyMap<string, string> = new Map()): string[] {
  return values.size === 0 ? [] : [listed(Array.from(values, ([from, to]) => `${quoted(from)} becomes ${quoted(to)}`))]
}

function wordsOf({ source, when, conditions }: Rule, isKnown: (column: string) => boolean): string {
  const condition = when ?? conditions[0]?.words
  const words =
    'constant' in source
      ? `the constant ${quoted(source.constant)}`
      : `column${source.columns.length > 1 ? 's' : ''} ${source.columns.map((column) => quoted(column) + (isKnown(column) ? '' : ', which no file has')).join(' and ')}`
  return condition === undefined ? words : `${words} if ${condition}`
}

function timeSentence({ unit, format, offsetMinutes, toUtc, zoneName }: TimeReading): string {
  const zone = toUtc !== undefined ? `local times of ${zoneName}` : offsetMinutes === 0 ? 'UTC' : `UTC${offsetOf(offsetMinutes)}`
  const order =
    format === 'dmy' || format === 'mdy'
      ? ` In dates whose year is last, the ${format === 'dmy' ? 'day' : 'month'} is first.`
      : ''
  const sized = format === 'excel' ? 'days of a spreadsheet' : 'times since 1970, and their size shows the unit'
  const numbers = unit === undefined ? sized : `${UNIT_NAMES[unit]} since 1970`
  return `Times without a zone are read as ${zone}.${order} Plain numbers are ${numbers}.`
}

function offsetOf(minutes: number): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`
}

function cleaningSentences(cleaning: Cleaning | undefined): string[] {
  if (cleaning === undefined) return []
  const { nulls, isTrimmed } = cleaning
  return [
    ...(isTrimmed ? ['Blanks around the texts of cells are removed.'] : []),
    ...(nulls.size > 0 ? [`Cells with these texts are read as empty: ${[...nulls].map(quoted).join(', ')}.`] : []),
  ]
}

/** A column that no rule reads may be forgotten. */
function unreadSentences(rules: readonly Rule[], columns: ReadonlySet<string>): string[] {
  const read = new Set(rules.flatMap(columnsOf).flatMap((column) => (isPath(column) ? [column, columnOfPath(column)] : [column])))
  const unread = [...columns].filter((column) => !read.has(column))
  return unread.length === 0 ? [] : [`Columns that no rule reads: ${listed(unread.map(quoted))}.`]
}

function listed(texts: readonly string[]): string {
  const more = texts.length - LISTED_MAX
  return texts.slice(0, LISTED_MAX).join(', ') + (more > 0 ? `, and ${more} more` : '')
}
