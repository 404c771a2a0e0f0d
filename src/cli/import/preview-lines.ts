import { instantOf } from '../../contract/fields/time.ts'
import { mostFirst } from './mapping/counts.ts'
import type { ItemKind } from './mapping/item-kind.ts'
import { type Preview, PREVIEW_ROWS_MAX } from './preview.ts'
import type { Weights } from './weights.ts'

const REASONS_SHOWN_MAX = 10
const TYPES_SHOWN_MAX = 20
/** An item of some fields is far shorter. */
const ITEM_CHARACTERS_MAX = 1_000

const counted = (count: number) => count.toLocaleString('en')

/** The outcome of a file's first rows: counts, reasons, the span of time, and some items. */
export function previewLines(preview: Preview, { timeField }: Pick<ItemKind, 'timeField'>): string[] {
  const { rows, equal, refusals, span, examples, withoutField } = preview
  if (rows === 0) return [nothingIn(preview)]
  const moreReasons = refusals.count() - REASONS_SHOWN_MAX
  return [
    countsOf(preview),
    ...(equal === 0 ? [] : [equalLine(equal)]),
    ...refusals.lines(REASONS_SHOWN_MAX).map((line) => `  ${line}`),
    ...(moreReasons > 0 ? [`  and ${counted(moreReasons)} more reasons`] : []),
    ...mostFirst(withoutField).map(([field, count]) => `  ${counted(count)} would be recorded without a wrong ${field}`),
    ...(span === undefined ? [] : [`  ${timeField}: ${instantOf(span.firstMs)} to ${instantOf(span.lastMs)}`]),
    ...examples.map(({ line, item }) => `  line ${line}: ${shortened(JSON.stringify(item))}`),
  ]
}

function nothingIn({ path, records, isWhole }: Preview): string {
  if (records === 0) return `${path} has no rows.`
  return isWhole ? `${path} has no rows that are items.` : `None of the first ${counted(records)} rows of ${path} is an item.`
}

function equalLine(count: number): string {
  const rows = count === 1 ? '1 row equals an earlier one' : `${counted(count)} rows equal earlier ones`
  return `  ${rows}; if each row is an event of its own, give --identical-rows separate`
}

function countsOf({ path, rows, isWhole, refused, repeated }: Preview): string {
  const first = `${path}: of the first ${counted(PREVIEW_ROWS_MAX)} rows`
  const some = rows < PREVIEW_ROWS_MAX ? `${first} ${counted(rows)} ${rows === 1 ? 'is an item' : 'are items'}:` : first
  const of = isWhole ? `${path} has ${counted(rows)} ${rows === 1 ? 'row' : 'rows'}:` : some
  const repeats = repeated === 0 ? '' : ` (${counted(repeated)} of them as duplicates of earlier rows)`
  return `${of} ${counted(rows - refused)} would be sent${repeats}, ${counted(refused)} refused${refused === 0 ? '.' : ':'}`
}

function shortened(text: string): string {
  return text.length <= ITEM_CHARACTERS_MAX ? text : `${text.slice(0, ITEM_CHARACTERS_MAX)}…`
}

/** Which event types there are, and which of them have no weight. */
export function eventTypeLines(types: ReadonlyMap<string, number>, weights: Weights): string[] {
  const all = mostFirst(types)
  const seen = `Event types: ${listed(all)}.`
  if ('problem' in weights) return [seen, `How many of them have no weight is not known, because ${weights.problem}.`]
  const unweighted = all.filter(([type]) => !weights.types.has(type))
  const which = `${counted(unweighted.length)} of ${counted(all.length)} event types ${unweighted.length === 1 ? 'has' : 'have'} no weight`
  const known = `By the weights in force (${weights.name}), ${which}`
  if (unweighted.length === 0) return [seen, `${known}.`]
  const rename = `--values event_type:${unweighted[0]![0]}=TYPE records it as another type.`
  return [seen, `${known}, so their events do not change scores: ${listed(unweighted)}.`, rename]
}

function listed(types: readonly [type: string, count: number][]): string {
  const more = types.length - TYPES_SHOWN_MAX
  const shown = types.slice(0, TYPES_SHOWN_MAX).map(([type, count]) => `${type} (${counted(count)})`)
  return shown.join(', ') + (more > 0 ? `, and ${counted(more)} more` : '')
}
