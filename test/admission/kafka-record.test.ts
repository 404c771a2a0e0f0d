import { describe, expect, test } from 'vitest'
import { judgeRecords } from '../../src/admission/judge-records.ts'
import type { KafkaRecord } from '../../src/admission/kafka-record.ts'
import { KEPT_SHORT_BYTES_MAX } from '../../src/admission/kept-item.ts'
import { keptItemOfRecord, type KeptRecord, keptRecordOf, recordOfKept } from '../../src/admission/kept-record.ts'
import type { Privacy } from '../../src/admission/privacy.ts'
import { NOON_MS, productEvent, recordOf } from '../harness/items/records.ts'

const KEEP: Privacy = { ipAddress: 'keep', userAgent: 'keep' }
const NOW_MS = NOON_MS + 60_000
const judge = (records: KafkaRecord[], privacy = KEEP) => judgeRecords(records, { nowMs: NOW_MS, currency: 'EUR', privacy })

const bytes = (text: string) => Buffer.from(text)
/** An event with the JSON in place of a value that JSON.stringify cannot write. */
const withDescription = (json: string) =>
  bytes(JSON.stringify(productEvent({ description: 0 })).replace('"description":0', `"description":${json}`))
const priced = (json: string) => bytes(JSON.stringify(productEvent({ price: -7 })).replace('"price":-7', `"price":${json}`))

describe('product events', () => {
  test('an update becomes an active version in minor units of the default currency', async () => {
    const { products, rejected } = await judge([
      recordOf(productEvent({ brand: 'Lumen', description: 'x', changes: { price: 1 } })),
    ])
    expect(rejected).toEqual([])
    expect(products).toEqual([
      {
        index: 0,
        productId: 'lamp',
        sellerId: 's-1',
        name: 'Lamp',
        price: 4_990,
        currency: 'EUR',
        quantity: 12,
        category: 'lighting',
        brand: 'Lumen',
        status: 'active',
        updatedAtMs: NOON_MS,
      },
    ])
  })

  test('a delete replaces the whole row', async () => {
    const event = {
      eventId: 'e',
      eventType: 'ProductDeleted',
      timestamp: NOON_MS,
      data: { productId: 'lamp', sellerId: 's-1', name: 'Lamp', deletedAt: 'x' },
    }
    const { products } = await judge([recordOf(event, { kind: 'ProductDeleted' })])
    expect(products).toMatchObject([
      { status: 'deleted', price: null, currency: null, quantity: null, category: null, brand: null },
    ])
  })

  test.for<[string, unknown, Partial<KafkaRecord>?]>([
    ['a price of 0', productEvent({ price: 0 })],
    ['a quantity below 0, of more orders than there is stock', productEvent({ quantity: -3 })],
    ['ids that are numbers', productEvent({ productId: 7, sellerId: 8, category: 9 })],
    ['a brand that is null', productEvent({ brand: null })],
    ['fields that the contract does not have', productEvent({ colour: 'red' }, { traceId: 't' })],
    ['a description of 1 MB', productEvent({ description: 'x'.repeat(1024 * 1024) })],
    ['a description of 100,000 levels', withDescription('['.repeat(100_000) + ']'.repeat(100_000))],
    ['a description of 65 levels', withDescription('{"a":'.repeat(65) + '1' + '}'.repeat(65))],
    ['a description with a number beyond 1.8e308', withDescription('[1e999]')],
    ['a description with NUL', productEvent({ description: 'a\0b' })],
    ['a seller that was never seen', productEvent({ sellerId: 'nobody knows' })],
    ['a key that is not UTF-8', productEvent(), { key: Buffer.from([0xff, 0xfe]) }],
    ['no key', productEvent(), { key: null }],
    ['a clock that is 4 minutes ahead', productEvent({}, { timestamp: NOW_MS + 240_000 })],
  ])('%s is accepted', async ([, value, changes]) => {
    const { products, rejected } = await judge([recordOf(value, changes)])
    expect(rejected).toEqual([])
    expect(products).toHaveLength(1)
  })

  test.for<[string, unknown, string | null, string, string?]>([
    ['no JSON', Buffer.from('{"eventId":'), null, 'is not JSON'],
    ['an empty value', Buffer.alloc(0), null, 'is not JSON'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), null, 'is not UTF-8'],
    ['a tombstone', null, null, 'is a tombstone, and no event'],
    [
      'the event type of another topic',
      productEvent({}, { eventType: 'ProductCreated' }),
      'eventType',
      'must be ProductUpdated in this topic',
    ],
    ['a negative price', productEvent({ price: -1 }), 'data.price', ''],
    ['a fraction as price', productEvent({ price: 49.9 }), 'data.price', ''],
    ['a price beyond 2^53', productEvent({ price: 2 ** 53 }), 'data.price', ''],
    ['a price beyond 1.8e308', priced('1e999'), 'data.price', ''],
    ['a price that is null', productEvent({ price: null }), 'data.price', ''],
    ['a price that is nested deeply', priced('['.repeat(100_000) + ']'.repeat(100_000)), 'data.price', ''],
    [
      'a byte order mark',
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes(JSON.stringify(productEvent()))]),
      null,
      'is not JSON',
    ],
    ['a fraction as quantity', productEvent({ quantity: 0.5 }), 'data.quantity', ''],
    ['no price', productEvent({ price: undefined }), 'data.price', ''],
    ['no event id', productEvent({}, { eventId: undefined }), 'eventId', ''],
    ['no data', productEvent({}, { data: undefined }), 'data', ''],
    ['a list', [productEvent()], null, ''],
    ['null', Buffer.from('null'), null, ''],
    ['a time of 6 minutes from now', productEvent({}, { timestamp: NOW_MS + 360_000 }), 'timestamp', '', 'in_future'],
    ['a time beyond all dates', productEvent({}, { timestamp: 9e15 }), 'timestamp', '', 'in_future'],
    [
      'a time in seconds',
      productEvent({}, { timestamp: NOON_MS / 1_000 }),
      'timestamp',
      'is before 2000-01-01; it is in milliseconds',
      'too_old',
    ],
    ['a time that is a text', productEvent({}, { timestamp: '2026-03-01T12:00:00Z' }), 'timestamp', ''],
    ['a name with NUL', productEvent({ name: 'a\0b' }), 'data.name', ''],
    ['a product id that no URL can name', productEvent({ productId: 'top' }), 'data.productId', ''],
  ])('%s is rejected', async ([, value, field, message, code = 'invalid']) => {
    const { products, rejected } = await judge([recordOf(value)])
    expect(products).toEqual([])
    expect(rejected).toMatchObject([{ field, code, index: 0 }])
    if (message !== '') expect(rejected[0]!.message).toBe(message)
  })

  test('a wrong record rejects no other', async () => {
    const records = [
      recordOf(productEvent({ productId: 'a' })),
      recordOf(null, { offset: 1n }),
      recordOf(productEvent({ productId: 'b' }), { offset: 2n }),
    ]
    const { products, rejected } = await judge(records)
    expect(products.map(({ productId, index }) => [productId, index])).toEqual([
      ['a', 0],
      ['b', 2],
    ])
    expect(rejected.map(({ record }) => record.offset)).toEqual([1n])
  })
})

const VIEW = { session_id: 's-1', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }
const interaction = (value: unknown, changes: Partial<KafkaRecord> = {}) =>
  recordOf(value, { kind: 'interaction', offset: 5n, ...changes })

describe('interactions', () => {
  test('an item without a time happened when its record was written, and has the same id in every reading', async () => {
    const [one, other] = await Promise.all([judge([interaction(VIEW)]), judge([interaction(VIEW)])])
    expect(one.runs[0]!.rows).toMatchObject([{ occurredAtMs: NOON_MS, refId: 'lamp' }])
    expect(one.runs[0]!.rows[0]!.eventId).toBe(other.runs[0]!.rows[0]!.eventId)
    const next = await judge([interaction(VIEW, { offset: 6n })])
    expect(next.runs[0]!.rows[0]!.eventId).not.toBe(one.runs[0]!.rows[0]!.eventId)
  })

  test('a record may have a list, of which each item is checked alone', async () => {
    const list = { interactions: [VIEW, { ...VIEW, ref_id: undefined }, { ...VIEW, ref_id: 'desk' }] }
    const { runs, rejected } = await judge([interaction(list)])
    expect(runs[0]!.rows.map(({ refId, index }) => [refId, index])).toEqual([
      ['lamp', 0],
      ['desk', 1],
    ])
    expect(rejected).toMatchObject([{ index: 1, field: 'ref_id' }])
    expect(JSON.parse(rejected[0]!.record.value!.toString())).toMatchObject({ session_id: 's-1' })
  })

  const CLOUD = { specversion: '1.0', id: '17', source: '/shop', type: 'view', time: '2026-03-01T11:00:00Z' }

  test('a CloudEvent, structured or binary, has its source and id as its identity', async () => {
    const headers = Object.entries(CLOUD).map(([name, value]) => [`ce_${name}`, bytes(value)] as const)
    const { runs } = await judge([interaction({ ...CLOUD, data: VIEW }), interaction(VIEW, { headers, offset: 6n })])
    const [structured, binary] = runs[0]!.rows
    expect(structured).toMatchObject({ occurredAtMs: Date.parse(CLOUD.time), refId: 'lamp' })
    expect(binary!.eventId).toBe(structured!.eventId)
  })

  test.for<[string, object, string]>([
    ['another version', { ...CLOUD, specversion: '0.3', data: VIEW }, 'specversion'],
    ['no id', { ...CLOUD, id: undefined, data: VIEW }, 'id'],
    ['no data', CLOUD, 'data'],
    ['data that is no JSON', { ...CLOUD, data_base64: 'AA==' }, 'data'],
  ])('a CloudEvent with %s is rejected', async ([, event, field]) => {
    expect((await judge([interaction(event)])).rejected).toMatchObject([{ field, code: 'invalid' }])
  })

  test('what privacy drops is not kept of rejected records either', async () => {
    const drop: Privacy = { ipAddress: 'drop', userAgent: 'drop' }
    const wrong = { ...VIEW, event_type: 'No!', ip_address: '203.0.113.9', user_agent: 'Firefox' }
    const { rejected } = await judge(
      [interaction(wrong), interaction({ ...CLOUD, data: wrong }), interaction(bytes('203.0.113.9'))],
      drop,
    )
    expect(rejected).toHaveLength(3)
    for (const { record } of rejected) expect(record.value?.toString() ?? '').not.toMatch(/203\.0\.113\.9|Firefox/)
  })
})

test.for([
  ['text', bytes('{"a":"é"}')],
  ['bytes that are not UTF-8', Buffer.from([0xff, 0x00, 0x7f])],
  ['a NUL', bytes('a\0b')],
  ['nothing', null],
  ['an empty value', Buffer.alloc(0)],
] as const)('a kept record has its bytes: %s', ([, value]) => {
  const record = recordOf(value, { key: value, offset: 2n ** 60n, headers: [['h', value]] })
  const kept = JSON.parse(JSON.stringify(keptRecordOf(record))) as ReturnType<typeof keptRecordOf>
  expect(recordOfKept(kept)).toEqual(record)
})

const LARGE = 2 * 1024 * 1024 + 1
test.for<[string, Partial<KafkaRecord>]>([
  ['a text', { value: bytes('é'.repeat(LARGE)) }],
  ['a text from an odd byte on', { value: bytes('a' + '灯'.repeat(LARGE)) }],
  ['a text that takes six bytes each', { value: Buffer.alloc(LARGE, 1) }],
  ['bytes', { value: Buffer.alloc(LARGE, 0xff) }],
  ['a key', { key: bytes('k'.repeat(LARGE)), value: bytes('{}') }],
  ['a key and a value', { key: bytes('k'.repeat(LARGE)), value: bytes('v'.repeat(LARGE)) }],
  ['a header', { value: bytes('{}'), headers: [['h', Buffer.alloc(LARGE)]] }],
])('of a record that is too large, the part that is kept is a record with beginnings: %s', ([, changes]) => {
  const record = recordOf({}, { key: bytes('key'), ...changes })
  const { text, cutFromBytes } = keptItemOfRecord(record)
  expect(cutFromBytes).toBe(Buffer.byteLength(JSON.stringify(keptRecordOf(record))))
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(KEPT_SHORT_BYTES_MAX)
  const part = recordOfKept(JSON.parse(text) as KeptRecord)
  expect(part).toMatchObject({ topic: record.topic, partition: record.partition, offset: record.offset })
  for (const name of ['key', 'value'] as const) {
    const [kept, whole] = [part[name]!, record[name]!]
    expect(kept.equals(whole.subarray(0, kept.length))).toBe(true)
    expect(kept.length).toBeGreaterThanOrEqual(Math.min(whole.length, 4_000))
  }
})
