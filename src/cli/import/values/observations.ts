import { type Unit, UNIT_NAMES } from './epoch.ts'

/** What the values of an import looked like, for the sentences after it. */
export interface Observations {
  addUnit: (unit: Unit) => void
  addTimeWithoutZone: () => void
  /** Looks at a text that a rule gives to a field. */
  addText: (text: string, isId: boolean) => void
  /** Notes a whole number such as `12.000`, whose point may separate thousands. */
  addDecimalZeros: (text: string) => void
  /** Notes a field without which an item is recorded, because its value cannot be read. */
  addLeftOut: (field: string, reason: string) => void
  /** Looks at a cell of a column that has the name of a field, and was not used for it. */
  addUnused: (column: string, text: string) => void
  /** Sentences about what may be a mistake. */
  warnings: () => string[]
}

/** Texts with which programs write that there is no value. */
const NULL_TEXTS = new Set([
  'NULL',
  'null',
  'Null',
  String.raw`\N`,
  '#N/A',
  '#N/D',
  'N/A',
  'n/a',
  'nan',
  'NaN',
  'NAN',
  'None',
  'nil',
  'undefined',
  '(null)',
  '<null>',
  '<NULL>',
  '<NA>',
  'NA',
  '-',
])
const NULL_CHARACTERS_MAX = 9
/** `1.23E+12`, `17850.0` and `="0042"`. */
const DAMAGED = /^\d+(?:[.,]\d+)?E\+\d+$|^\d+[.,]0+$|^="/i

/** @param isZoneGiven whether an option says how to read times without a zone */
export function createObservations(isZoneGiven: boolean): Observations {
  const units = new Map<Unit, number>()
  const nulls = new Map<string, number>()
  const damaged = { count: 0, example: '' }
  const decimalZeros = { count: 0, example: '' }
  const leftOut = new Map<string, { count: number; example: string }>()
  const unused = new Map<string, { count: number; example: string }>()
  let withoutZone = 0
  return {
    addUnit: (unit) => void units.set(unit, (units.get(unit) ?? 0) + 1),
    addTimeWithoutZone: () => void withoutZone++,
    addText: (text, isId) => {
      if (text.length <= NULL_CHARACTERS_MAX && NULL_TEXTS.has(text)) nulls.set(text, (nulls.get(text) ?? 0) + 1)
      else if (isId && DAMAGED.test(text) && damaged.count++ === 0) damaged.example = text
    },
    addDecimalZeros: (text) => {
      if (decimalZeros.count++ === 0) decimalZeros.example = text
    },
    addLeftOut: (field, reason) => addExample(leftOut, field, reason),
    addUnused: (column, text) => {
      if (text !== '') addExample(unused, column, text)
    },
    warnings: () => [
      ...Array.from(
        units,
        ([unit, count]) =>
          `${times(count)} read as ${UNIT_NAMES[unit]} since 1970, by the size of the numbers (--time-unit overrides).`,
      ),
      ...(withoutZone > 0 && !isZoneGiven
        ? [`${times(withoutZone)} read as UTC, because no zone is written (--time-zone Europe/Berlin reads local times).`]
        : []),
      ...(nulls.size > 0 ? [nullSentence(nulls)] : []),
      ...(damaged.count > 0
        ? [
            `${counted(damaged.count, 'id')} may be damaged by a spreadsheet, e.g. ${JSON.stringify(damaged.example)}: export the column as text.`,
          ]
        : []),
      ...(decimalZeros.count > 0
        ? [
            `${counted(decimalZeros.count, 'stock figure')} may have thousands, e.g. ${JSON.stringify(decimalZeros.example)}, which was read as ${Number(decimalZeros.example)} (--decimal , reads thousands).`,
          ]
        : []),
      ...Array.from(
        leftOut,
        ([field, { count, example }]) =>
          `${counted(count, 'value')} for ${field} cannot be read and ${count === 1 ? 'was' : 'were'} left out, e.g. ${example}.`,
      ),
      ...Array.from(
        unused,
        ([column, { count, example }]) =>
          `${counted(count, column)} ${count === 1 ? 'is no UUID and was' : 'are no UUIDs and were'} not used, e.g. ${JSON.stringify(example)} (--map event_key=${column} makes the ids of events from such texts).`,
      ),
    ],
  }
}

function addExample(examples: Map<string, { count: number; example: string }>, name: string, example: string): void {
  const known = examples.get(name)
  if (known === undefined) examples.set(name, { count: 1, example })
  else known.count++
}

function nullSentence(nulls: ReadonlyMap<string, number>): string {
  const found = Array.from(
    nulls,
    ([text, count]) => `${JSON.stringify(text)} (${count === 1 ? 'once' : `${count.toLocaleString('en')} times`})`,
  )
  const options = Array.from(nulls.keys(), (text) => `--null '${text}'`)
  return `Values that may stand for an empty cell were read as texts: ${found.join(', ')}. To read them as empty, give ${options.join(' ')}.`
}

function times(count: number): string {
  return `${counted(count, 'time')} ${count === 1 ? 'was' : 'were'}`
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}
