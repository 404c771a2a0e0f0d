import { expect, test } from 'vitest'
import { z } from 'zod'
import { KINDS } from '../../src/contract/kinds.ts'
import { SERVICE_APIS } from '../../src/contract/services.ts'
import { plainMessage } from '../../src/contract/fields/zod-messages.ts'

const { schema: Interaction } = KINDS.interaction
const VIEW = { session_id: 's-1', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }

test.each<[problem: string, schema: z.ZodType, value: unknown]>([
  ['is missing', z.string(), undefined],
  ['is missing', z.enum(['a', 'b']), undefined],
  ['must be a text', z.string(), 7],
  ['must be a text', z.string(), null],
  ['must be a whole number', z.int(), 1.5],
  ['must be a number', z.number(), 'x'],
  ['must be true or false', z.boolean(), 'yes'],
  ['must be a list', z.array(z.string()), {}],
  ['must be an object', z.object({}), []],
  ['must be day or week', z.enum(['day', 'week']), 'month'],
  ['must be pending, success or failed', z.enum(['pending', 'success', 'failed']), 'good'],
  ['must have at most 3 characters', z.string().max(3), 'four'],
  ['must not be empty', z.string().min(1), ''],
  ['must have at most 1 item', z.array(z.string()).max(1), ['a', 'b']],
  ['must have at least 2 items', z.array(z.string()).min(2), ['a']],
  ['must be at most 10', z.number().max(10), 11],
  ['must be more than 0', z.number().positive(), 0],
  ['must be a UUID', z.guid(), 'x'],
  ['must be a day such as 2026-03-01', z.iso.date(), 'yesterday'],
  ['must be an RFC 3339 time such as 2026-03-01T12:00:00Z', z.iso.datetime(), 'noon'],
  ['must match /^[0-9]+$/', z.string().regex(/^[0-9]+$/), 'x'],
  ['is not a known field', z.strictObject({}), { nonsense: 1 }],
  ['is not valid', z.union([z.string(), z.number()]), true],
])('a value %s', (problem, schema, value) => {
  expect(schema.safeParse(value, { error: plainMessage }).error?.issues[0]?.message).toBe(problem)
})

test('a long list of values is cut off', () => {
  const values = Array.from({ length: 40 }, (_, n) => `v${n}`)
  const message = z.enum(values).safeParse('x', { error: plainMessage }).error?.issues[0]?.message
  expect(message).toMatch(/^must be one of v0, .* v11, …$/)
})

test('zod keeps its own messages for programs that import the contract', () => {
  expect(z.string().safeParse(undefined).error?.issues[0]?.message).toBe('Invalid input: expected string, received undefined')
})

const ZODS_OWN = /Invalid|expected|Too (big|small)|Unrecognized/

test('no field of any kind gets a message of zod', () => {
  const values = [undefined, null, 7, 1.5, -1, '', 'x', '\0', 'x'.repeat(2_000), true, [], [7], {}, { x: { y: 1 } }]
  for (const { schema } of Object.values(KINDS)) {
    for (const field of [...Object.keys(schema.shape), 'nonsense']) {
      for (const value of values) {
        const { error } = schema.safeParse({ ...VIEW, [field]: value }, { error: plainMessage })
        for (const { message } of error?.issues ?? []) expect(message).not.toMatch(ZODS_OWN)
      }
    }
  }
  expect(Interaction.safeParse(VIEW).success).toBe(true)
})

test('no handler answers a wrong input with a message of zod', () => {
  const wrong = [undefined, null, 7, [], {}, { nonsense: 1 }].map((value) => Buffer.from(JSON.stringify(value) ?? ''))
  for (const api of SERVICE_APIS) {
    for (const { _inputSerde: serde } of Object.values(api._handlers)) {
      for (const bytes of wrong) {
        try {
          serde!.deserialize(bytes)
        } catch (error) {
          expect((error as Error).message).not.toMatch(ZODS_OWN)
        }
      }
    }
  }
})
