import { InvalidArgumentError } from 'commander'
import type { EngineSettings } from '../../ranking/evaluation/engine.ts'
import { WINDOW_MAX } from '../../ranking/similarity/settings.ts'
import { type Columns, type Field, FIELDS } from '../evaluate/read-rows.ts'
import { writtenTimeOf } from '../evaluate/split-time.ts'
import { TIME_FORMATS } from '../import/values/instant.ts'
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

const number = (max: number) => ({ min: 0, max, isWhole: false })
const count = (max: number) => ({ min: 1, max, isWhole: true })

/** Within these numbers no file takes more memory or time than its size says. */
const SETTINGS: Readonly<Record<Exclude<keyof EngineSettings, 'repeats'>, ReturnType<typeof number>>> = {
  alpha: number(10),
  beta: number(10),
  gamma: number(10),
  rho: number(10),
  kappa: number(1_000_000),
  contentFactor: number(1_000),
  decay: number(1),
  window: count(WINDOW_MAX),
  neighboursMax: count(1_000),
  shopperEventsMax: count(1_000_000),
  productEventsMax: count(1_000_000_000),
  botEventsPerDay: count(1_000_000_000),
  historyMax: count(10_000),
}

/** `name=value`. */
export function settingOf(text: string, before: Partial<EngineSettings> = {}): Partial<EngineSettings> {
  const [, name = '', value = ''] = /^(\w+)=(\S+)$/.exec(text) ?? []
  const bounds = Object.entries(SETTINGS).find(([each]) => each === name)?.[1]
  if (bounds === undefined) {
    throw new InvalidArgumentError(`It is <name>=<number>, with the name ${Object.keys(SETTINGS).join(', ')}.`)
  }
  const { min, max, isWhole } = bounds
  const set = Number(value)
  if (!(set >= min && set <= max) || (isWhole && !Number.isInteger(set))) {
    throw new InvalidArgumentError(`${name} is a ${isWhole ? 'whole ' : ''}number from ${min} to ${max.toLocaleString('en')}.`)
  }
  return { ...before, [name]: set }
}

/** `10,20` as lengths of lists. */
export function numbersOf(text: string): number[] {
  const numbers = text.split(',').map(wholeNumber(1, K_MAX))
  if (new Set(numbers).size < numbers.length) throw new InvalidArgumentError('A number appears twice.')
  return numbers
}

/** A time as in a file, in any order of its parts: the file has the unit, and `--time-format` the order. */
export function timeFrom(text: string): string {
  if ([undefined, ...TIME_FORMATS].every((format) => writtenTimeOf(text, format) === undefined))
    throw new InvalidArgumentError('It is a time, or a number as in the file.')
  return text
}
