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

/** A value as a text, for an address or a header. */
export function textsOf(schema: Schema): fc.Arbitrary<string> {
  const strange = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('', ' ', '%00', '-1', '1e9', 'null', 'NaN', '\u0000', '..'),
  )
  return fc.oneof({ weight: 3, arbitrary: described(schema).map(String) }, { weight: 1, arbitrary: strange })
}

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
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
  const plain = fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 250) })
  return pattern?.startsWith('^[a-z') ? fc.stringMatching(new RegExp(pattern)) : plain
}
