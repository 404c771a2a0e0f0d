import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { analyticApi, catalogApi, popularityApi, scheduleApi, taskApi } from '../../src/contract/services.ts'
import { type ContractChange, contractChanges, type DescribedService } from '../../src/main/release/contract-change.ts'

type Handler = DescribedService['handlers'][number]
type Schema = Record<string, unknown>

const handler = (changes: Partial<Handler> = {}): Handler => ({ name: 'Get', ty: 'Shared', public: true, ...changes })
const service = (handlers: Handler[], changes: Partial<DescribedService> = {}): DescribedService => ({
  name: 'Shop',
  ty: 'Service',
  public: true,
  handlers,
  ...changes,
})
const shop = service([handler()])

const breaking = (what: string): ContractChange => ({ what, isBreaking: true })
const harmless = (what: string): ContractChange => ({ what, isBreaking: false })

test.each<[string, DescribedService[], DescribedService[], ContractChange]>([
  ['a service that is gone', [shop], [], breaking('Shop is gone')],
  ['a new service', [], [shop], harmless('Shop is new')],
  [
    'a service of another kind',
    [shop],
    [{ ...shop, ty: 'VirtualObject' }],
    breaking('Shop was a Service and is a VirtualObject'),
  ],
  ['a service that became private', [shop], [{ ...shop, public: false }], breaking('Shop is private now')],
  ['a service that became public', [{ ...shop, public: false }], [shop], harmless('Shop is public now')],
  ['a handler that is gone', [shop], [service([])], breaking('Shop.Get is gone')],
  ['a new handler', [service([])], [shop], harmless('Shop.Get is new')],
  [
    'a handler of another kind',
    [shop],
    [service([handler({ ty: 'Exclusive' })])],
    breaking('Shop.Get was Shared and is Exclusive'),
  ],
  ['a handler that became private', [shop], [service([handler({ public: false })])], breaking('Shop.Get is private now')],
  ['a handler that became public', [service([handler({ public: false })])], [shop], harmless('Shop.Get is public now')],
])('%s is reported', (_name, before, after, change) => {
  expect(contractChanges(before, after)).toEqual([change])
})

test('changes are reported in the order of names, in any order of the services', () => {
  const [a, b, c] = ['A', 'B', 'C'].map((name) => ({ ...shop, name })) as [DescribedService, DescribedService, DescribedService]
  const whats = contractChanges([c, a], [b, c]).map(({ what }) => what)
  expect(whats).toEqual(['A is gone', 'B is new'])
})

const changesOf = (side: 'input_json_schema' | 'output_json_schema', before?: Schema, after?: Schema) =>
  contractChanges([service([handler(before && { [side]: before })])], [service([handler(after && { [side]: after })])])

/** The text after "the request" for a change of the request, and after "the answer" for the same change of the answer. */
function clauses(before?: Schema, after?: Schema): { request: string[]; answer: string[] } {
  const told = (side: 'input_json_schema' | 'output_json_schema', named: string) =>
    changesOf(side, before, after).map(({ what, isBreaking }) => {
      expect(what.startsWith(`Shop.Get: the ${named}`)).toBe(true)
      const clause = what.slice(`Shop.Get: the ${named}`.length)
      expect(isBreaking).toBe(clause !== ' changed')
      return clause
    })
  return { request: told('input_json_schema', 'request'), answer: told('output_json_schema', 'answer') }
}

const text = z.string()
const one = z.strictObject({ a: text })
const two = z.strictObject({ a: text, b: text })
const twoAtMost = z.strictObject({ a: text, b: text.optional() })
const withDefault = z.strictObject({ a: text, b: text.default('x') })

const FINE = ' changed'

test.each<[string, z.ZodType, z.ZodType, { request: string; answer: string }]>([
  ['a new required field', one, two, { request: ' needs b', answer: FINE }],
  ['a new optional field', one, twoAtMost, { request: FINE, answer: FINE }],
  ['a new field with a default', one, withDefault, { request: FINE, answer: FINE }],
  ['a required field that is gone', two, one, { request: ' has no field b any more', answer: ' may be without b' }],
  ['an optional field that is gone', twoAtMost, one, { request: ' has no field b any more', answer: FINE }],
  ['a field that is optional now', two, twoAtMost, { request: FINE, answer: ' may be without b' }],
  ['a field that is required now', twoAtMost, two, { request: ' needs b', answer: FINE }],
  ['a default that is gone', withDefault, two, { request: ' needs b', answer: FINE }],
  ['another default', withDefault, z.strictObject({ a: text, b: text.default('y') }), { request: FINE, answer: FINE }],
  [
    'other fields that are refused now',
    z.looseObject({ a: text }),
    one,
    { request: ' takes no other fields any more', answer: FINE },
  ],
  ['other fields that are taken now', one, z.looseObject({ a: text }), { request: FINE, answer: FINE }],
  [
    'a field that is gone where others are taken',
    z.looseObject({ a: text, b: text }),
    z.looseObject({ a: text }),
    { request: FINE, answer: ' may be without b' },
  ],
  ['an upper limit that is lower', z.number().max(9), z.number().max(8), { request: ': maximum is narrower', answer: FINE }],
  ['an upper limit that is higher', z.number().max(8), z.number().max(9), { request: FINE, answer: ': maximum is wider' }],
  ['a lower limit that is higher', text.min(1), text.min(2), { request: ': minLength is narrower', answer: FINE }],
  ['a lower limit that is lower', text.min(2), text.min(1), { request: FINE, answer: ': minLength is wider' }],
  ['a limit where there was none', z.array(text), z.array(text).max(5), { request: ': maxItems is narrower', answer: FINE }],
  ['no limit where there was one', z.array(text).max(5), z.array(text), { request: FINE, answer: ': maxItems is wider' }],
  ['another pattern', text.regex(/^a/), text.regex(/^b/), { request: ': pattern is another', answer: ': pattern is another' }],
  ['a value less', z.enum(['a', 'b']), z.enum(['a']), { request: ' takes other values', answer: FINE }],
  ['a value more', z.enum(['a']), z.enum(['a', 'b']), { request: FINE, answer: ' has other values' }],
  [
    'a constant that became one of two values',
    z.literal('a'),
    z.enum(['a', 'b']),
    { request: FINE, answer: ' has other values' },
  ],
  ['a text that became one of two', text, z.enum(['a', 'b']), { request: ' takes other values', answer: FINE }],
  ['another type', text, z.boolean(), { request: ' was of another type', answer: ' was of another type' }],
  ['a number that became one of two', z.number(), z.literal([1, 2]), { request: ' takes other values', answer: FINE }],
  ['a text that may be null now', text, text.nullable(), { request: FINE, answer: ' was of another type' }],
  ['a text that may not be null any more', text.nullable(), text, { request: ' was of another type', answer: FINE }],
  ['an object that may be null now', one, one.nullable(), { request: FINE, answer: ' has other kinds of values' }],
  ['an object that may not be null any more', one.nullable(), one, { request: ' takes other kinds of values', answer: FINE }],
  [
    'one of two kinds that is gone',
    z.union([one, text]),
    z.union([text]),
    { request: ' takes other kinds of values', answer: FINE },
  ],
  [
    'items of another type',
    z.array(text),
    z.array(z.boolean()),
    { request: '[] was of another type', answer: '[] was of another type' },
  ],
  ['items with a limit', z.array(text), z.array(text.max(3)), { request: '[]: maxLength is narrower', answer: FINE }],
  [
    'values of a table that are of another type',
    z.record(text, text),
    z.record(text, z.boolean()),
    { request: '.* was of another type', answer: '.* was of another type' },
  ],
  [
    'a change far inside',
    z.strictObject({ list: z.array(z.strictObject({ a: one })) }),
    z.strictObject({ list: z.array(z.strictObject({ a: two })) }),
    { request: '.list[].a needs b', answer: FINE },
  ],
])('%s: a request must be understood by the new release, and an answer by old callers', (_name, before, after, expected) => {
  const told = clauses(z.toJSONSchema(before), z.toJSONSchema(after))
  expect(told).toEqual({ request: [expected.request], answer: [expected.answer] })
})

test('number to integer breaks requests, and integer to number breaks answers', () => {
  expect(clauses({ type: 'number' }, { type: 'integer' })).toEqual({ request: [' was of another type'], answer: [FINE] })
  expect(clauses({ type: 'integer' }, { type: 'number' })).toEqual({ request: [FINE], answer: [' was of another type'] })
})

test('a missing schema accepts every value', () => {
  expect(clauses(undefined, { type: 'string' })).toEqual({ request: [' was of another type'], answer: [FINE] })
  expect(clauses({ type: 'string' }, undefined)).toEqual({ request: [FINE], answer: [' was of another type'] })
})

test('keywords next to the branches of a schema are compared, and so is a single branch', () => {
  const either = { anyOf: [{ type: 'string' }, { type: 'null' }] }
  expect(clauses(either, { ...either, maxLength: 3 }).request).toEqual([' takes other kinds of values'])
  expect(clauses({ anyOf: [{ type: 'string' }] }, { anyOf: [{ type: 'number' }] }).request).toEqual([' was of another type'])
  expect(clauses({ anyOf: [{ type: 'string' }] }, { type: 'string' }).request).toEqual([FINE])
})

test('a change of an unknown keyword is breaking', () => {
  expect(clauses({ not: { type: 'string' } }, { not: { type: 'null' } }).request).toEqual([': not is another'])
  expect(clauses({}, { allOf: [{ minLength: 1 }] }).request).toEqual([': allOf is another'])
})

test('every change of a schema is reported with its path', () => {
  const after = z.strictObject({ a: z.boolean(), c: text })
  expect(clauses(z.toJSONSchema(two), z.toJSONSchema(after)).request).toEqual([
    ' has no field b any more',
    ' needs c',
    '.a was of another type',
  ])
})

test('a different description is not a change', () => {
  const worded = one.describe('said').meta({ title: 'One', examples: [{ a: 'x' }], deprecated: true })
  expect(clauses(z.toJSONSchema(one), z.toJSONSchema(worded))).toEqual({ request: [], answer: [] })
})

test('a field with the name of a schema keyword is a field', () => {
  const [before, after] = [z.strictObject({ description: text }), z.strictObject({ description: z.boolean() })]
  expect(clauses(z.toJSONSchema(before), z.toJSONSchema(after)).request).toEqual(['.description was of another type'])
})

/** A schema with every keyword that the rules know. */
const { schema: schemas } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Schema>({}, { type: 'boolean' }, { type: 'integer', minimum: 0 }, { const: 1 }, { enum: ['a', null] }),
    fc.record({ type: fc.constant('string'), maxLength: fc.nat(9), pattern: fc.string() }, { requiredKeys: ['type'] }),
    fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: fc.nat(3) }, { requiredKeys: ['type'] }),
    fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
    fc.record({
      type: fc.constant('object'),
      properties: fc.dictionary(fc.constantFrom('a', 'b', 'title', 'default', 'constructor'), tie('schema')),
      required: fc.subarray(['a', 'b', 'title', 'constructor']),
      additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
    }),
  ),
}))

test('a schema does not differ from itself, and may become one of several', () => {
  fc.assert(
    fc.property(schemas, schemas, (schema, other) => {
      expect(clauses(schema, structuredClone(schema))).toEqual({ request: [], answer: [] })
      const wider = { anyOf: [other, schema] }
      for (const clause of clauses(schema, wider).request) expect(clause).toBe(FINE)
      for (const clause of clauses(wider, schema).answer) expect(clause).toBe(FINE)
    }),
  )
})

/** The schemas of the services as Restate describes them. */
function describedContract(): DescribedService[] {
  return [analyticApi, popularityApi, catalogApi, scheduleApi, taskApi].map((api) => ({
    name: api.name,
    ty: api._kind,
    public: true,
    handlers: Object.entries(api._handlers).map(([name, { _inputSerde, _outputSerde }]) => ({
      name,
      public: true,
      ...(_inputSerde?.jsonSchema && { input_json_schema: structuredClone(_inputSerde.jsonSchema) as Schema }),
      ...(_outputSerde?.jsonSchema && { output_json_schema: structuredClone(_outputSerde.jsonSchema) as Schema }),
    })),
  }))
}

test('the contract of the services does not differ from itself, and a changed field is found', () => {
  const [before, after] = [describedContract(), describedContract()]
  expect(contractChanges(before, after)).toEqual([])
  const popular = after.find(({ name }) => name === 'Popularity')!.handlers.find(({ name }) => name === 'Popular')!
  const fields = popular.input_json_schema!['properties'] as Record<string, Schema>
  fields['limit']!['maximum'] = 50
  fields['shop'] = { type: 'string', default: 'main' }
  popular.input_json_schema!['required'] = [...(popular.input_json_schema!['required'] as string[]), 'shop']
  expect(contractChanges(before, after)).toEqual([breaking('Popularity.Popular: the request.limit: maximum is narrower')])
})
