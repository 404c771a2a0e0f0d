import fc from 'fast-check'

/** The part of JSON Schema that /openapi.json uses. */
export interface Schema {
  type?: string
  enum?: unknown[]
  format?: string
  pattern?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
}

const LIST_MAX = 8

/** Mostly values of a schema, its bounds included, and sometimes any other value. */
export function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 5, arbitrary: described(schema) }, { weight: 1, arbitrary: fc.jsonValue() })
}

/**
 * Values whose outermost object is always as its schema has it, because a body with a wrong envelope is refused before anything looks
 * at its items.
 */
export function bodiesOf(schema: Schema): fc.Arbitrary<unknown> {
  const { properties = {}, required = [] } = schema
  const fields = Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, described(field)]))
  const enveloped = fc.record<Record<string, unknown>>(fields, { requiredKeys: required })
  return fc.oneof({ weight: 1, arbitrary: valuesOf(schema) }, { weight: 2, arbitrary: enveloped })
}

/** A documented example with one of its values, or none, replaced by any other. */
export function variantsOf(example: unknown): fc.Arbitrary<unknown> {
  const values = countValues(example)
  return fc.tuple(fc.nat(2 * values), fc.jsonValue()).map(([place, other]) => replaced(example, { place, other }))
}

function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce((sum: number, part) => sum + countValues(part), 0)
}

/** A copy with the value at a place, counted through the whole, replaced; a place beyond the last value replaces none. */
function replaced(value: unknown, at: { place: number; other: unknown }): unknown {
  if (Array.isArray(value)) return value.map((part) => replaced(part, at))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, replaced(part, at)]))
  }
  return at.place-- === 0 ? at.other : value
}

/** A value as a text, for an address or a header. */
export function textsOf(schema: Schema): fc.Arbitrary<string> {
  const strange = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('', ' ', '%00', '-1', '1e9', 'null', 'NaN', '\u0000', '..'),
  )
  return fc.oneof({ weight: 8, arbitrary: described(schema).map(asText) }, { weight: 1, arbitrary: strange })
}

/** Not String, because an object with a member toString has no text. */
function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const NOW_MS = Date.now()
/** Times that are neither too old nor in the future. */
const RECENT = fc.date({ min: new Date(NOW_MS - 20 * 86_400_000), max: new Date(NOW_MS), noInvalidDate: true })

function described(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  return OF_TYPE[schema.type ?? '']?.(schema) ?? fc.jsonValue()
}

const OF_TYPE: Record<string, (schema: Schema) => fc.Arbitrary<unknown>> = {
  string: stringsOf,
  integer: ({ minimum = -100, maximum = 100 }) =>
    fc.integer({ min: Math.max(minimum, -(2 ** 31)), max: Math.min(maximum, 2 ** 31 - 1) }),
  array: ({ items = {} }) => fc.array(valuesOf(items), { minLength: 1, maxLength: LIST_MAX }),
  object: (schema) => (schema.properties === undefined ? fc.dictionary(fc.string(), fc.jsonValue()) : objectsOf(schema)),
}

/** Objects with the required fields, some optional ones, and rarely an unknown one. */
function objectsOf({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const known = Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, valuesOf(schema)]))
  const unknown = fc.option(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 1 }), { freq: 10, nil: {} })
  return fc.tuple(fc.record(known, { requiredKeys: required }), unknown).map(([one, more]) => ({ ...more, ...one }))
}

function stringsOf({ format, pattern, minLength = 0, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid()
  if (format === 'date-time') return fc.oneof(fc.date({ noInvalidDate: true }), RECENT).map((date) => date.toISOString())
  if (format === 'date') return RECENT.map((date) => date.toISOString().slice(0, 10))
  const plain = fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 250) })
  return pattern?.startsWith('^[a-z') ? fc.stringMatching(new RegExp(pattern)) : plain
}
