import { InvalidArgumentError } from 'commander'
import { ENGINE_DEFAULTS, type EngineSettings } from '../../ranking/evaluation/engine.ts'
import { type Columns, type Field, FIELDS, timeOf } from '../evaluate/read-rows.ts'
import { wholeNumber } from './whole-number.ts'

/** The values of options of evaluate. Each function throws InvalidArgumentError for a value that cannot be. */

const K_MAX = 1_000

/** `field=column`. */
export function columnOf(text: string, before: Columns = {}): Columns {
  const [, field, column] = /^(\w+)=(.+)$/.exec(text) ?? []
  if (!FIELDS.includes(field as Field))
    throw new InvalidArgumentError(`It is <field>=<column>, with the field ${FIELDS.join(', ')}.`)
  return { ...before, [field!]: column }
}

const SETTINGS = Object.keys(ENGINE_DEFAULTS).filter((name) => name !== 'repeats')

/** `name=value`. */
export function settingOf(text: string, before: Partial<EngineSettings> = {}): Partial<EngineSettings> {
  const [, name = '', value = ''] = /^(\w+)=(\S+)$/.exec(text) ?? []
  if (!SETTINGS.includes(name) || !(Number(value) >= 0 && Number.isFinite(Number(value)))) {
    throw new InvalidArgumentError(`It is <name>=<number from 0>, with the name ${SETTINGS.join(', ')}.`)
  }
  return { ...before, [name]: Number(value) }
}

/** `10,20` as lengths of lists. */
export function numbersOf(text: string): number[] {
  const numbers = text.split(',').map(wholeNumber(1, K_MAX))
  if (new Set(numbers).size < numbers.length) throw new InvalidArgumentError('A number appears twice.')
  return numbers
}

/** A time as in a file. */
export function timeFrom(text: string): number {
  const time = timeOf(text)
  if (time === undefined) throw new InvalidArgumentError('It is a time, or a number as in the file.')
  return time
}
