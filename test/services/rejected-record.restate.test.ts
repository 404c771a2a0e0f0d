import { sql } from 'kysely'
import { expect, vi } from 'vitest'
import { judgeRecords } from '../../src/admission/judge-records.ts'
import type { KafkaRecord } from '../../src/admission/kafka-record.ts'
import { rejectedKeyOf, type RejectedKey, type RejectedResponse } from '../../src/contract/rejected.ts'
import { analyticApi, popularityApi } from '../../src/contract/services.ts'
import { catalogProduct } from '../../src/store/catalog/catalog-product.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { readOffsets } from '../../src/store/kafka/offset.ts'
import { type StoredRecords, storeRecords } from '../../src/store/kafka/record-batch.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { rejectedCommand } from '../../src/cli/commands/rejected.ts'
import { runCommand } from '../harness/programs/command.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { mirrored, NOON_MS, productEvent, recordOf } from '../harness/items/records.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import type { Stack } from '../harness/servers/stack.ts'

const analytic = (stack: Stack) => stack.ingress.client(analyticApi)
let place = 0n

/** Stores a record as the consumer does. */
async function consumed(db: Database, value: unknown, changes: Partial<KafkaRecord> = {}): Promise<StoredRecords> {
  const record = recordOf(value, { offset: place++, ...changes })
  const [at] = await readOffsets(db, [{ topic: record.topic, partition: 0, next: 0n }])
  const privacy = { ipAddress: 'keep', userAgent: 'keep' } as const
  const judged = await judgeRecords([record], { nowMs: Date.now(), currency: 'EUR', privacy })
  return storeRecords(db, [{ ...at!, before: at!.next, next: record.offset + 1n }], judged)
}

async function newest(gateway: TestGateway): Promise<RejectedResponse['data'][number] & { key: RejectedKey }> {
  const answer = await fetch(`${gateway.url}/api/v1/analytic/rejected?limit=1`)
  const { data } = (await answer.json()) as RejectedResponse
  return { ...data[0]!, key: rejectedKeyOf(data[0]!.id)! }
}

const view = (productId: string) => ({ session_id: 's-1', event_type: 'view', ref_type: 'Product', ref_id: productId })

test('a product event with a wrong price is listed, and replayed once with a correction', async ({ db, stack, gateway }) => {
  await consumed(db, productEvent({ productId: 'wrong-price', price: -1 }))
  const rejected = await newest(gateway)
  expect(rejected).toMatchObject({
    code: 'invalid',
    field: 'data.price',
    item: { topic: 'product.updated', partition: 0, kind: 'ProductUpdated' },
  })
  const again = await analytic(stack).ReplayRejected({ ...rejected.key })
  expect(again).toMatchObject({ outcome: 'rejected', rejection: { field: 'data.price' } })
  const { key } = await newest(gateway)
  expect(await analytic(stack).ReplayRejected({ ...key, set: { price: 100, brand: 'Lumen' } })).toEqual({ outcome: 'accepted' })
  expect(await catalogProduct(db, 'wrong-price')).toMatchObject({ price: 100, brand: 'Lumen', currency: 'EUR' })
  await expect(analytic(stack).ReplayRejected({ ...key, set: { price: 200 } })).rejects.toThrow('was replayed already')
  expect(await catalogProduct(db, 'wrong-price')).toMatchObject({ price: 100 })
})

test('a record that is too deep to be written is not corrected, and says so', async ({ db, stack, gateway }) => {
  const event = JSON.stringify(productEvent({ productId: 'deep', price: -1, description: 0 }))
  const deep = '['.repeat(100_000) + ']'.repeat(100_000)
  await consumed(db, Buffer.from(event.replace('"description":0', `"description":${deep}`)))
  const { key } = await newest(gateway)
  await expect(analytic(stack).ReplayRejected({ ...key, set: { price: 100 } })).rejects.toThrow('it is nested too deeply')
})

test('a product event is corrected in its data and beside it, and a CloudEvent in its data', async ({ db, stack, gateway }) => {
  await consumed(
    db,
    productEvent({ productId: 'beside', name: 5 }, { eventId: null, eventType: 'ProductMoved', timestamp: 'now' }),
  )
  const { key } = await newest(gateway)
  const set = { eventId: 'e-1', eventType: 'ProductUpdated', timestamp: 1_772_366_400_000, name: 'Lamp' }
  expect(await analytic(stack).ReplayRejected({ ...key, set })).toEqual({ outcome: 'accepted' })
  expect(await catalogProduct(db, 'beside')).toMatchObject({ name: 'Lamp', updated_at: '2026-03-01T12:00:00.000Z' })
  const cloudEvent = { specversion: '1.0', id: 'c-1', source: 'shop', type: 'seen', time: '2026-03-01T12:00:00Z' }
  await consumed(db, { ...cloudEvent, data: { ...view('in-data'), event_type: 'No!' } }, { kind: 'interaction', offset: 900n })
  const again = await newest(gateway)
  expect(await analytic(stack).ReplayRejected({ ...again.key, set: { event_type: 'view' } })).toMatchObject({
    outcome: 'accepted',
  })
  const { rows } = await sql`select event_type from interaction where ref_id = 'in-data'`.execute(db)
  expect(rows).toEqual([{ event_type: 'view' }])
})

const LATER = Date.now() + 3_600_000
/** The same event as it should have been. */
const mended = (id: string) => productEvent({ productId: id })

test.for<[what: string, value: (id: string) => unknown, set: string | undefined, changes?: Partial<KafkaRecord>]>([
  ['another event type', (id) => ({ ...mended(id), eventType: 'ProductCreated' }), 'eventType=ProductUpdated'],
  ['a negative price', (id) => productEvent({ productId: id, price: -4_990 }), 'price=4990'],
  ['a price with a fraction', (id) => productEvent({ productId: id, price: 49.9 }), 'price=4990'],
  ['a quantity with a fraction', (id) => productEvent({ productId: id, quantity: 1.5 }), 'quantity=12'],
  ['a time in the future', (id) => productEvent({ productId: id }, { timestamp: LATER }), `timestamp=${NOON_MS}`],
  ['a price that is a word', (id) => productEvent({ productId: id, price: 'free' }), 'price=4990', { key: Buffer.from([0xff]) }],
  ['1 MB and no price', (id) => productEvent({ productId: id, price: null, description: 'x'.repeat(1024 * 1024) }), 'price=4990'],
  ['no JSON', () => Buffer.from('{"half'), undefined],
  ['bytes that are not UTF-8', () => Buffer.from([0xff]), undefined],
  ['a tombstone', () => null, undefined],
])(
  'a record with %s is listed by command and API, and its replay mends what --set corrects',
  async (given, { db, database, stack, gateway }) => {
    const [what, valueOf, set, changes = {}] = given
    const id = what.replaceAll(' ', '-')
    await consumed(db, valueOf(id), changes)
    const { id: rejectedId, item } = await newest(gateway)
    expect(item).toMatchObject({ topic: 'product.updated', kind: 'ProductUpdated' })
    const environment = { DATABASE_URL: database.url, RESTATE_INGRESS_URL: stack.ingressUrl, RESTATE_ADMIN_URL: stack.adminUrl }
    const run = (...args: string[]) => runCommand(rejectedCommand(), args, environment)
    expect((await run('list')).text).toContain(rejectedId)
    const replayed = await run('replay', rejectedId, '--set', set ?? 'price=4990')
    if (set === undefined) expect(replayed).toMatchObject({ code: 1, text: expect.stringContaining('rejected again as') })
    else {
      expect(replayed).toMatchObject({ code: 0, text: expect.stringContaining('accepted') })
      expect(await catalogProduct(db, id)).toEqual(mirrored(mended(id)))
      expect((await run('replay', rejectedId)).text).toContain('was replayed already')
    }
  },
)

test('an interaction of a record is replayed, counted, and has the id that its record gives it', async ({
  db,
  stack,
  gateway,
}) => {
  const record = { kind: 'interaction', offset: 1_000n } as const
  await consumed(db, { ...view('replayed'), event_type: 'No!' }, record)
  const { key } = await newest(gateway)
  const replayed = await analytic(stack).ReplayRejected({ ...key, set: { event_type: 'view' } })
  expect(replayed).toMatchObject({ outcome: 'accepted', event_id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  await vi.waitFor(async () => {
    expect(await stack.ingress.client(popularityApi).Get({ product_id: 'replayed' })).toMatchObject({ view_count: 1 })
  }, 20_000)
})

test('a value that is no JSON stays rejected, and its bytes are kept', async ({ db, stack, gateway }) => {
  await consumed(db, Buffer.from('{"half'), { key: Buffer.from([0xff]) })
  const { key } = await newest(gateway)
  expect(await analytic(stack).ReplayRejected({ ...key, set: { price: 1 } })).toMatchObject({ outcome: 'rejected' })
  const { rows } = await sql`select key, value from rejected_event order by batch_id desc limit 2`.execute(db)
  expect(rows).toEqual([1, 2].map(() => ({ key: Buffer.from([0xff]), value: Buffer.from('{"half') })))
})

test('a stored batch that is sent on twice is counted once', async ({ db, stack }) => {
  const { batches } = await consumed(
    db,
    { interactions: [view('sent-on'), view('sent-on')] },
    { kind: 'interaction', offset: 2_000n },
  )
  const [{ batchId, ...batch }] = batches as [(typeof batches)[number]]
  for (const _time of [1, 2]) await analytic(stack).FanOut({ batch_id: batchId, ...batch })
  await vi.waitFor(async () => {
    expect(await stack.ingress.client(popularityApi).Get({ product_id: 'sent-on' })).toMatchObject({ view_count: 2 })
  }, 20_000)
  expect((await verify(db)).drift).toEqual([])
})
