import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { correctedItem } from '../../src/admission/correction.ts'
import { judgeAnalyticsEvents } from '../../src/admission/analytics-event.ts'
import { withEventId } from '../../src/admission/event-identity.ts'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import { judgePayments } from '../../src/admission/payment.ts'
import { withPrivacy } from '../../src/admission/privacy.ts'
import { judgeProducts } from '../../src/admission/product.ts'
import { judgeSearches } from '../../src/admission/search.ts'
import { Id } from '../../src/contract/fields/id.ts'
import { readAs } from '../../src/contract/fields/read-as.ts'
import { KINDS } from '../../src/contract/kinds.ts'
import { PopularRequest } from '../../src/contract/popular-list.ts'
import { Product } from '../../src/contract/product.ts'
import { Correction } from '../../src/contract/rejected.ts'
import { validatorCompiler } from '../../src/gateway/http/validator.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const ITEM = '2026-03-01T11:00:00Z'
const newEventId = () => '018f0000-0000-7000-8000-000000000000'

/** A valid item of each kind with its required fields alone, all of its optional ones, and its judge. */
const ITEMS = {
  interaction: {
    required: { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'p' },
    schema: KINDS.interaction.schema,
    judge: (item: unknown) => judgeInteractions([item], NOW_MS, newEventId),
  },
  search: {
    required: { query: 'lamp', product_ids: [] },
    schema: KINDS.search.schema,
    judge: (item: unknown) => judgeSearches([item], NOW_MS, newEventId),
  },
  payment: {
    required: {
      ...{ provider: 'p', callback_id: 'c', payment_ref: 'r', order_id: 'o', status: 'pending', currency: 'EUR' },
      ...{ occurred_at: ITEM, items: [{ product_id: 'lamp', quantity: 1, unit_price: 5 }] },
    },
    schema: KINDS.payment.schema,
    judge: (item: unknown) => judgePayments([item], NOW_MS),
  },
  analytics_event: {
    required: { source: 'erp', external_ref: 'e', entity_id: 'i', status: 'success', occurred_at: ITEM },
    schema: KINDS.analytics_event.schema,
    judge: (item: unknown) => judgeAnalyticsEvents([item], NOW_MS),
  },
  product: {
    required: { product_id: 'lamp', name: 'Lamp', status: 'active', updated_at: ITEM },
    schema: Product,
    judge: (item: unknown) => judgeProducts([item], NOW_MS),
  },
}

const rowOf = ({ rows, rejections }: { rows: readonly unknown[]; rejections: readonly unknown[] }) => {
  expect(rejections).toEqual([])
  const { item: _item, ...row } = rows[0] as Record<string, unknown>
  return row
}

describe.each(Object.entries(ITEMS))('a null field of %s', (_kind, { required, schema, judge }) => {
  const optional = Object.keys(schema.shape).filter((name) => !(name in required))

  test.each(optional)('%s is absent', (name) => {
    expect(rowOf(judge({ ...required, [name]: null }))).toEqual(rowOf(judge(required)))
  })

  test('is missing when it is required', () => {
    const needed = Object.keys(required).filter((name) => name !== 'items')
    const messages = needed.map((name) => judge({ ...required, [name]: null }).rejections[0]?.message)
    expect(messages).toEqual(needed.map((name) => (name === 'session_id' ? 'account_id or session_id is needed' : 'is missing')))
  })

  test('is still unknown when the kind has no such field', () => {
    expect(judge({ ...required, nonsense: null }).rejections).toMatchObject([{ field: 'nonsense' }])
  })
})

test('a null field of an item of a payment is absent', () => {
  const { required, judge } = ITEMS.payment
  const items = [{ ...required.items[0]!, seller_id: null }]
  expect(rowOf(judge({ ...required, items }))).toEqual(rowOf(judge(required)))
})

test('nulls inside metadata stay', () => {
  const { required, judge } = ITEMS.interaction
  expect(rowOf(judge({ ...required, metadata: { from: null, list: [null, 7] } }))).toMatchObject({
    metadata: { from: null, list: [null, 7] },
  })
})

test('a null identity is none: the gateway and a replay give one', () => {
  const item = { ...ITEMS.interaction.required, event_id: null, event_key: null, occurred_at: null }
  const { event, assigned } = withEventId(item, NOW_MS)
  expect(assigned).toEqual({ event_id: (event as { event_id: string }).event_id, occurred_at: '2026-03-01T12:00:00.000Z' })
  expect(rowOf(ITEMS.interaction.judge(event))).toMatchObject({ eventId: assigned!.event_id, occurredAtMs: NOW_MS })
  expect(correctedItem(item, undefined, NOW_MS, newEventId)).toEqual({ ...item, event_id: newEventId() })
})

test('a null device field stays null, whatever the privacy', () => {
  const item = { ...ITEMS.interaction.required, ip_address: null, user_agent: null }
  for (const mode of ['keep', 'truncate', 'drop'] as const) {
    const kept = withPrivacy(item, { ipAddress: mode, userAgent: mode })
    expect(rowOf(ITEMS.interaction.judge(kept))).toMatchObject({ ipAddress: null, userAgent: null })
  }
})

test('a request of a route or handler may have null for what it may leave out', () => {
  const validate = validatorCompiler({ schema: PopularRequest, method: '', url: '' })
  expect(validate({ mode: null, limit: null, category_ids: null })).toEqual(validate({}))
})

test('a correction keeps its nulls, which remove fields', () => {
  expect(readAs(Correction, { ref_id: null })).toEqual({ ref_id: null })
})

const ID_FIELDS = [
  ['interaction', 'ref_id', 'refId'],
  ['interaction', 'account_id', 'accountId'],
  ['interaction', 'session_id', 'sessionId'],
  ['search', 'account_id', 'accountId'],
  ['payment', 'callback_id', 'callbackId'],
  ['payment', 'payment_ref', 'paymentRef'],
  ['payment', 'order_id', 'orderId'],
  ['analytics_event', 'external_ref', 'externalRef'],
  ['analytics_event', 'entity_id', 'entityId'],
  ['product', 'product_id', 'productId'],
  ['product', 'seller_id', 'sellerId'],
  ['product', 'category', 'category'],
  ['product', 'brand', 'brand'],
] as const

test.each(ID_FIELDS)('%s: a whole number as %s is its digits, and another number is refused', (kind, field, column) => {
  const { required, judge } = ITEMS[kind]
  for (const [number, digits] of [
    [4711, '4711'],
    [0, '0'],
    [-7, '-7'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ] as const) {
    expect(rowOf(judge({ ...required, [field]: number }))).toMatchObject({ [column]: digits })
  }
  for (const wrong of [1.5, 2 ** 53, 1e21, true, ['a'], { a: 1 }]) {
    const message = 'must be a text, or a whole number within ±(2^53 − 1)'
    expect(judge({ ...required, [field]: wrong }).rejections).toMatchObject([{ code: 'invalid', field, message }])
  }
})

test('ids in lists may be whole numbers', () => {
  expect(rowOf(ITEMS.search.judge({ query: 'lamp', product_ids: [1, '2', 1] }))).toMatchObject({ productIds: ['1', '2'] })
  const { required, judge } = ITEMS.payment
  const items = [{ product_id: 17, seller_id: 18, quantity: 1, unit_price: 5 }]
  expect(rowOf(judge({ ...required, items }))).toMatchObject({ items: [{ productId: '17', sellerId: '18' }] })
})

test('an account number may be its digits', () => {
  const { required, judge } = ITEMS.interaction
  for (const [sent, accountNumber] of [
    ['42', 42],
    ['-7', -7],
    ['0', 0],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['17850.0', 17_850],
    ['-7.000', -7],
  ] as const) {
    expect(rowOf(judge({ ...required, account_number: sent }))).toMatchObject({ accountNumber })
  }
  for (const wrong of [
    '',
    ' 42',
    '042',
    '-0',
    '-0.0',
    '4.5',
    '4.',
    '04.0',
    '1e3',
    '9007199254740993',
    '99999999999999999',
    'x',
  ]) {
    expect(judge({ ...required, account_number: wrong }).rejections).toMatchObject([{ field: 'account_number' }])
  }
})

test('texts that are no ids do not take numbers', () => {
  for (const [kind, field] of [
    ['product', 'name'],
    ['interaction', 'event_type'],
    ['search', 'query'],
  ] as const) {
    const { required, judge } = ITEMS[kind]
    expect(judge({ ...required, [field]: 7 }).rejections).toMatchObject([{ field, message: 'must be a text' }])
  }
})

test('reading changes neither its input nor a value that needs no change, and reading twice is reading once', () => {
  const field = fc.oneof(fc.jsonValue(), fc.constant(null), fc.integer())
  const items = fc.record(
    { event_id: field, ref_id: field, session_id: field, metadata: field, account_number: field, nonsense: field },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(items, fc.jsonValue()), (item) => {
      const before = structuredClone(item)
      const once = readAs(KINDS.interaction.schema, item)
      expect(item).toEqual(before)
      expect(readAs(KINDS.interaction.schema, once)).toBe(once)
    }),
  )
  const valid = ITEMS.interaction.required
  expect(readAs(KINDS.interaction.schema, valid)).toBe(valid)
  expect(readAs(Id, 'x')).toBe('x')
})
