import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ITEM_VALUES_MAX, type ItemList, itemsOfLargeRequest, parseBody } from '../../src/admission/request-items.ts'
import { CreateInteractionRequest } from '../../src/contract/interaction.ts'
import { KINDS } from '../../src/contract/kinds.ts'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { PAYMENT_ITEMS_MAX } from '../../src/contract/payment.ts'

const read = (text: string | Buffer, list: ItemList = 'interactions') => [...itemsOfLargeRequest(Buffer.from(text), list)]

/** What JSON.parse and the schema make of a text; undefined when one of them refuses it. */
function reference(text: string): unknown[] | undefined {
  try {
    return CreateInteractionRequest.safeParse(JSON.parse(text)).data?.interactions
  } catch {
    return undefined
  }
}

function outcome(text: string): unknown[] | undefined {
  try {
    return read(text)
  } catch (error) {
    if (error instanceof DecidedError && error.code === 'invalid_request') return undefined
    throw error
  }
}

const BLANKS = fc.stringMatching(/^[ \t\r\n]{0,3}$/)
const item = fc.json({ maxDepth: 4 })
const request = fc
  .record({
    items: fc.array(fc.tuple(BLANKS, item, BLANKS), { maxLength: 8 }),
    blanks: fc.array(BLANKS, { minLength: 5, maxLength: 5 }),
  })
  .map(
    ({ items, blanks: [a, b, c, d, e] }) =>
      `${a}{${b}"interactions"${c}:${d}[${items.map((parts) => parts.join('')).join(',')}]}${e}`,
  )

test('the items of a request are those that JSON.parse finds', () => {
  fc.assert(
    fc.property(request, (text) => {
      expect(outcome(text)).toEqual(reference(text))
    }),
    { numRuns: 1_000 },
  )
})

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  ' ',
  '0',
  'null',
  '"interactions":[1]',
  String.raw`"\u0069nteractions":[2]`,
  '\u00a0',
  '\ufeff',
]

test('a text with a piece too much, too little or of another kind is read as JSON.parse reads it', () => {
  const mutation = fc.record({ place: fc.nat(), removed: fc.nat(3), piece: fc.constantFrom('', ...PIECES) })
  fc.assert(
    fc.property(request, fc.array(mutation, { minLength: 1, maxLength: 3 }), (text, mutations) => {
      let changed = text
      for (const { place, removed, piece } of mutations) {
        const at = place % (changed.length + 1)
        changed = changed.slice(0, at) + piece + changed.slice(at + removed)
      }
      expect(outcome(changed)).toEqual(reference(changed))
    }),
    { numRuns: 3_000 },
  )
})

test.each([
  '',
  ' ',
  '[]',
  'null',
  '1',
  '"interactions"',
  '{}',
  '{"interactions":{}}',
  '{"interactions":[],"interactions":[1]}',
  '{"interactions":[1],"interactions":2}',
  '{"interactions":[1;2],"interactions":[3]}',
  '{"interactions":[1],"nonsense":[2]}',
  '{"__proto__":1,"interactions":[1]}',
  '{"interactions":[{"__proto__":1}]}',
  '{"interactions":[1,]}',
  '{"interactions":[,1]}',
  '{"interactions":[1]},',
  '{"interactions":[1}]',
  '{"interactions":[{]}]}',
  '{"interactions":["\\',
  '{"interactions":[01]}',
  '{"interactions":[1 2]}',
  '{"interactions" [1]}',
  '{interactions:[1]}',
  '{1:[1],"interactions":[1]}',
  "{'interactions':[1]}",
])('%j is read as JSON.parse reads it', (text) => {
  expect(outcome(text)).toEqual(reference(text))
})

/** The refusal of a text. */
function refusal(text: string | Buffer, list?: ItemList): DecidedError {
  try {
    read(text, list)
  } catch (error) {
    if (error instanceof DecidedError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('what cannot be a batch', () => {
  const listOf = (items: string) => `{"interactions":[${items}]}`
  const BIG = 200_000

  test('is refused with too many items, in the words for 10,001', () => {
    const { message, details } = refusal(listOf(`${'{},'.repeat(BIG)}{}`))
    expect(message).toBe('interactions: must have at most 10000 items')
    expect(details).toEqual([{ field: 'interactions', message: 'must have at most 10000 items' }])
    expect(refusal(`{"events":[${'0,'.repeat(BIG)}0]}`, 'events').message).toBe('events: must have at most 10000 items')
    expect(refusal(`{"products":[${'0,'.repeat(BIG)}0]}`, 'products').message).toBe('products: must have at most 10000 items')
  })

  test.each([
    ['keys', `{"a":0${',"a":0'.repeat(BIG)}}`],
    ['levels', '['.repeat(BIG) + ']'.repeat(BIG)],
    ['levels that do not end', '['.repeat(BIG)],
    ['values', `{"metadata":{"a":[0${',0'.repeat(BIG)}]}}`],
  ])('is refused with an item of too many %s', (_what, item) => {
    expect(refusal(listOf(`{},${item}`))).toMatchObject({
      code: 'invalid_request',
      message: `interactions.1: has more than ${ITEM_VALUES_MAX} values`,
      field: 'interactions.1',
    })
  })

  test.each([
    ['fields', `{"a":0${',"a":0'.repeat(BIG)}}`],
    ['values in a field that is no list', `{"interactions":{"a":[0${',0'.repeat(BIG)}]}}`],
    ['values that are no object', `[0${',0'.repeat(BIG)}]`],
    [
      'lists',
      `{"interactions":[${'0,'.repeat(9_000)}0],"interactions":[${'0,'.repeat(9_000)}0],"interactions":[${'0,'.repeat(9_000)}0]}`,
    ],
  ])('is refused with too many %s', (_what, text) => {
    expect(refusal(text).message).toBe(`the body has more than ${ITEM_VALUES_MAX} values`)
  })

  test('is refused when it is not UTF-8, or empty', () => {
    expect(refusal(Buffer.of(0x7b, 0xff)).message).toBe('the body is not UTF-8')
    expect(refusal('').message).toBe('the body is empty')
  })

  test('is refused with the item that is not JSON', () => {
    expect(refusal(listOf('1,2,nul')).message).toMatch(/^the body is not JSON: item 2: /)
    expect(refusal(listOf('1').slice(0, -1)).message).toBe('the body is not JSON: it breaks off')
    expect(refusal(listOf('1;2')).message).toMatch(/^the body is not JSON: item 0: /)
    expect(refusal(listOf('1 2')).message).toBe('the body is not JSON: unexpected "2" at character 20')
  })
})

test('the largest valid items have fewer values than the limit', () => {
  const interaction = {
    session_id: 's',
    event_type: 'view',
    ref_type: 'Product',
    ref_id: 'p',
    metadata: { a: Array(2_044).fill(0) },
  }
  expect(KINDS.interaction.schema.safeParse(interaction).success).toBe(true)
  expect(KINDS.interaction.schema.safeParse({ ...interaction, metadata: { a: Array(2_046).fill(0) } }).success).toBe(false)
  const items = Array(PAYMENT_ITEMS_MAX).fill({ product_id: 'p', seller_id: 's', quantity: 1, unit_price: 1 })
  const body = `{"interactions":[${JSON.stringify(interaction)},${JSON.stringify({ items })}]}`
  expect(read(body)).toEqual([interaction, { items }])
  expect(parseBody(Buffer.from(body))).toEqual({ interactions: [interaction, { items }] })
})

test('any other body is refused with more values than any valid request', () => {
  expect(() => parseBody(Buffer.from(`{"product_ids":[0${',0'.repeat(100_000)}]}`))).toThrow(
    'the body has more than 16384 values',
  )
  expect(() => parseBody(Buffer.from('['.repeat(100_000)))).toThrow('the body has more than 16384 values')
  expect(parseBody(Buffer.from(`{"query":"${'x'.repeat(100_000)}"}`))).toEqual({ query: 'x'.repeat(100_000) })
})
