import { parsedJson } from '../source/json-record.ts'
import { cellOf, type Row } from '../source/row.ts'

/** A name, a place in a list, or the first element of a list whose property has a value: `[key=page]`. */
type Step = string | { property: string; value: string }

/** The steps to a value inside a record, in a part for each `[]` and one for the value: `a.b[].c` is [[a, b], [c]]. */
export interface Path {
  name: string
  parts: readonly (readonly Step[])[]
}

const PATH = /^[^.[\]]+(?:\.[^.[\]]+|\[\d*\]|\[[^=[\]]+=[^[\]]*\])+$/
const STEP = /\[\]|\[(?<place>\d+)\]|\[(?<property>[^=[\]]+)=(?<value>[^[\]]*)\]|(?<key>[^.[\]]+)/g

/** Whether rules may name a value of a file by this name. */
export function isPath(name: string): boolean {
  return PATH.test(name)
}

/** The column that has the value of a path. */
export function columnOfPath(path: string): string {
  return /^[^.[]*/.exec(path)![0]
}

/** A path with `[]` for all elements in place of certain ones. */
export function withoutPlaces(path: string): string {
  return path.replaceAll(/\[[^\]]*\]/g, '[]')
}

export function pathOf(name: string): Path {
  const parts: Step[][] = [[]]
  for (const { 0: step, groups } of name.matchAll(STEP)) {
    const { place, property, value, key } = groups!
    if (step === '[]') parts.push([])
    else parts.at(-1)!.push(property === undefined ? (place ?? key)! : { property, value: value! })
  }
  return { name, parts }
}

/** The value behind some steps; undefined when there is none. The first step from a row is a column. */
export function walk(start: unknown, steps: readonly Step[], row: Row): unknown {
  let value = start
  for (const step of steps) {
    const inner = typeof value === 'string' ? parsedText(value) : value
    if (typeof step !== 'string') value = elementWith(inner, step.property, step.value)
    else value = inner === row ? cellOf(row, step) : propertyOf(inner, step)
  }
  return value
}

/** A cell of CSV may be a text of JSON. */
export function parsedText(text: string): unknown {
  return /^\s*[{[]/.test(text) ? parsedJson(text) : undefined
}

function propertyOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Record<string, unknown>)[name]
}

function elementWith(list: unknown, property: string, value: string): unknown {
  return Array.isArray(list) ? list.find((element) => String(propertyOf(element, property)) === value) : undefined
}
