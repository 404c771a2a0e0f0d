import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { timeOfUuidV7, uuidV7 } from '../../src/contract/fields/event-id.ts'
import {
  type RejectedInteraction,
  type RejectedKey,
  rejectedKeyOf,
  type RejectedResponse,
  type Correction,
  type ReplayRejectedResponse,
} from '../../src/contract/rejected.ts'
import { analyticApi, popularityApi } from '../../src/contract/services.ts'
import { encodeCursor } from '../../src/store/database/cursor.ts'
import { verify } from '../../src/store/proof/verification.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import { answerOf, failingOnce } from '../harness/servers/fail-points.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const failing = failingOnce()
const test = gatewayTest.extend('services', { scope: 'file' }, { hooks: [failing.hook] })
let product: string
let tests = 0

test.beforeEach(async ({ db }) => {
  product = `p${++tests}`
  await sql`truncate rejected_interaction`.execute(db)
})

const event = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  session_id: 's',
  event_type: 'view',
  ref_type: 'Product',
  ref_id: product,
  ...changes,
})
const analytic = (stack: Stack) => stack.ingress.client(analyticApi)
const views = async (stack: Stack, product_id = product) =>
  (
    await stack.ingress
      .client(popularityApi)
      .Get({ product_id })
      .catch(() => undefined)
  )?.view_count ?? 0

/** PostgreSQL refuses the product of this test until `mend`. */
const spoil = (db: Database) =>
  sql`alter table interaction add constraint no_product check (ref_id <> ${sql.lit(product)})`.execute(db)
const mend = (db: Database) => sql`alter table interaction drop constraint no_product`.execute(db)

/** Sends items that are all rejected. Returns their keys in order. */
async function refused(stack: Stack, gateway: TestGateway, ...interactions: unknown[]): Promise<RejectedKey[]> {
  const { rejected } = await analytic(stack).CreateInteraction({ interactions })
  expect(rejected).toHaveLength(interactions.length)
  const { data } = await list(gateway, `limit=${interactions.length}`)
  return data.toReversed().map(({ batch_id, index }) => ({ batch_id, index }))
}

async function list(gateway: TestGateway, search = ''): Promise<RejectedResponse> {
  const answer = await fetch(`${gateway.url}/api/v1/analytic/rejected?${search}`)
  expect(answer.status).toBe(200)
  return (await answer.json()) as RejectedResponse
}

function replay(stack: Stack, key: RejectedKey, set?: Correction): Promise<ReplayRejectedResponse> {
  return analytic(stack).ReplayRejected({ ...key, ...(set && { set }) }, clients.rpc.opts({ idempotencyKey: randomUUID() }))
}

const open = async (gateway: TestGateway) => (await list(gateway)).data.map((one: RejectedInteraction) => one.id)

async function expectNoDrift(db: Database, stack: Stack): Promise<void> {
  await stack.settled()
  expect((await verify(db)).drift).toEqual([])
}

test('an item that PostgreSQL refused is counted once when it is replayed after a fix', async ({ db, stack, gateway }) => {
  await spoil(db)
  const own = event({ event_id: randomUUID(), occurred_at: '2026-01-02T03:04:05Z' })
  const [withId, without] = (await refused(stack, gateway, own, event())) as [RejectedKey, RejectedKey]
  expect((await list(gateway)).data).toMatchObject([
    { batch_id: without.batch_id, index: 1, code: 'refused', field: null, item: event(), replayed_at: null },
    { batch_id: withId.batch_id, index: 0, code: 'refused', item: own, message: expect.stringContaining('no_product') },
  ])
  await mend(db)
  expect(await replay(stack, withId)).toEqual({ outcome: 'accepted', event_id: own['event_id'] })
  const answer = await replay(stack, without)
  expect(answer.outcome).toBe('accepted')
  // An event without a time occurred when it arrived.
  const { data } = await list(gateway, 'replayed=true')
  expect(timeOfUuidV7(answer.event_id!)).toBe(Date.parse(data[0]!.received_at))
  expect(data.map((one) => one.replayed_at)).toEqual([expect.stringMatching(/Z$/), expect.stringMatching(/Z$/)])
  expect(await open(gateway)).toEqual([])
  await expectNoDrift(db, stack)
  expect(await views(stack)).toBe(2)
})

test('a repeated replay is a conflict that names the first outcome, and counts nothing', async ({ db, stack, gateway }) => {
  await spoil(db)
  const [key] = (await refused(stack, gateway, event())) as [RejectedKey]
  const again = await replay(stack, key)
  expect(again).toMatchObject({ outcome: 'rejected', rejection: { code: 'refused' } })
  await mend(db)
  await expect(replay(stack, key)).rejects.toMatchObject({
    status: 409,
    responseText: expect.stringContaining(`refused again as ${again.rejection!.id}`),
  })
  const next = rejectedKeyOf(again.rejection!.id)!
  const once = clients.rpc.opts<RejectedKey & { set?: Correction }, ReplayRejectedResponse>({ idempotencyKey: randomUUID() })
  const answers = [await analytic(stack).ReplayRejected(next, once), await analytic(stack).ReplayRejected(next, once)]
  expect(answers[0]).toMatchObject({ outcome: 'accepted' })
  expect(answers[1]).toEqual(answers[0])
  await expect(replay(stack, next)).rejects.toMatchObject({ status: 409, responseText: expect.stringContaining(': accepted') })
  await expectNoDrift(db, stack)
  expect(await views(stack)).toBe(1)
})

test('an event that came without an id keeps its identity through every rejection', async ({ db, stack, gateway }) => {
  await spoil(db)
  const [key] = (await refused(stack, gateway, event())) as [RejectedKey]
  const first = await replay(stack, key)
  const { item, received_at } = (await list(gateway)).data[0]!
  await mend(db)
  const { event_id } = item as { event_id: string }
  expect(await replay(stack, rejectedKeyOf(first.rejection!.id)!)).toEqual({ outcome: 'accepted', event_id })
  expect(timeOfUuidV7(event_id)).toBeLessThan(Date.parse(received_at))
  // The shop sent the event itself in between, so the replay is a duplicate.
  expect(await analytic(stack).CreateInteraction({ interactions: [event({ event_id })] })).toMatchObject({ duplicates: 1 })
})

test('a rejected event that was recorded before its replay is a duplicate', async ({ db, stack, gateway }) => {
  await spoil(db)
  const own = event({ event_id: randomUUID(), occurred_at: '2026-01-02T03:04:05Z' })
  const [key] = (await refused(stack, gateway, own)) as [RejectedKey]
  await mend(db)
  await analytic(stack).CreateInteraction({ interactions: [own] })
  expect(await replay(stack, key)).toEqual({ outcome: 'duplicate', event_id: own['event_id'] })
  await expect(replay(stack, key)).rejects.toMatchObject({ status: 409, responseText: expect.stringContaining('a duplicate') })
  await expectNoDrift(db, stack)
  expect(await views(stack)).toBe(1)
})

test('of many concurrent replays by operators one is answered, the others are conflicts', async ({ db, stack, gateway }) => {
  await spoil(db)
  const [good] = (await refused(stack, gateway, event())) as [RejectedKey]
  await mend(db)
  const [bad] = (await refused(stack, gateway, event({ ref_id: 5.5 }))) as [RejectedKey]
  for (const [key, outcome] of [[good, 'accepted'] as const, [bad, 'rejected'] as const]) {
    const answers = await Promise.allSettled(Array.from({ length: 6 }, () => replay(stack, key)))
    const decided = answers.filter((one) => one.status === 'fulfilled').map((one) => one.value.outcome)
    expect(decided).toEqual([outcome])
    for (const one of answers) if (one.status === 'rejected') expect(one.reason).toMatchObject({ status: 409 })
  }
  expect(await open(gateway)).toHaveLength(1)
  expect((await list(gateway, 'replayed=true')).data).toHaveLength(3)
  await expectNoDrift(db, stack)
  expect(await views(stack)).toBe(1)
})

test.for(['record the replay', answerOf('ReplayRejected')])(
  'a replay that dies at "%s" answers as if nothing had happened, and counts once',
  async (point, { db, stack, gateway }) => {
    await spoil(db)
    const [good] = (await refused(stack, gateway, event())) as [RejectedKey]
    await mend(db)
    const [bad] = (await refused(stack, gateway, 7)) as [RejectedKey]
    failing.left.add(point)
    expect(await replay(stack, good)).toMatchObject({ outcome: 'accepted' })
    expect([...failing.left]).toEqual([])
    failing.left.add(point)
    expect(await replay(stack, bad)).toMatchObject({ outcome: 'rejected' })
    expect([...failing.left]).toEqual([])
    expect(await open(gateway)).toHaveLength(1)
    await expectNoDrift(db, stack)
    expect(await views(stack)).toBe(1)
  },
)

test('a correction makes a bad item an event; a wrong correction is rejected under a new id', async ({ db, stack, gateway }) => {
  const { ref_id: _none, ...incomplete } = event({ nonsense: 1 })
  const [missing, number, text, nothing] = await refused(stack, gateway, incomplete, 7, 'text', null)
  const again = await replay(stack, missing!, { ref_id: product })
  expect(again).toMatchObject({ outcome: 'rejected', rejection: { code: 'invalid', field: 'nonsense' } })
  expect(await replay(stack, rejectedKeyOf(again.rejection!.id)!, { nonsense: null })).toMatchObject({ outcome: 'accepted' })
  for (const key of [number!, text!, nothing!]) {
    expect(await replay(stack, key)).toMatchObject({ outcome: 'rejected', rejection: { code: 'invalid', field: null } })
  }
  expect((await list(gateway)).data.map((one) => one.item)).toEqual([null, 'text', 7])
  expect(await replay(stack, rejectedKeyOf((await open(gateway))[0]!)!, event())).toMatchObject({ outcome: 'accepted' })
  await expectNoDrift(db, stack)
  expect(await views(stack)).toBe(2)
})

test('an event of the future is rejected until its time comes or a correction changes it', async ({ db, stack, gateway }) => {
  const ms = Date.parse('2099-01-01T00:00:00Z')
  const future = event({ event_id: uuidV7(ms, Buffer.from('0123456789')), occurred_at: '2099-01-01T00:00:00Z' })
  const [key] = (await refused(stack, gateway, future)) as [RejectedKey]
  const again = await replay(stack, key)
  expect(again).toMatchObject({ outcome: 'rejected', rejection: { code: 'in_future', field: 'occurred_at' } })
  expect((await list(gateway)).data).toMatchObject([{ id: again.rejection!.id, item: future }])
  const mended = await replay(stack, rejectedKeyOf(again.rejection!.id)!, { occurred_at: '2026-01-02T03:04:05Z' })
  expect(mended.outcome).toBe('accepted')
  expect(timeOfUuidV7(mended.event_id!)).toBe(Date.parse('2026-01-02T03:04:05Z'))
  await expectNoDrift(db, stack)
})

test('an event before the horizon is rejected again as too old', async ({ db, stack, gateway }) => {
  await sql`update log_horizon set horizon = '2005-01-01'`.execute(db)
  const early = event({ event_id: randomUUID(), occurred_at: '2004-01-01T00:00:00Z' })
  const [key] = (await refused(stack, gateway, early)) as [RejectedKey]
  expect(await replay(stack, key)).toMatchObject({ outcome: 'rejected', rejection: { code: 'too_old', field: 'occurred_at' } })
  expect(await replay(stack, rejectedKeyOf((await open(gateway))[0]!)!, { occurred_at: '2005-01-01T00:00:00Z' })).toEqual({
    outcome: 'accepted',
    event_id: early['event_id'],
  })
})

test('a payment callback that is recorded and still does not count stays in the list when it is replayed', async ({
  db,
  stack,
  gateway,
}) => {
  const callback = (callback_id: string, unit_price: number) => ({
    ...{ provider: 'acme', callback_id, payment_ref: product, order_id: product, status: 'success' as const, currency: 'EUR' },
    ...{ occurred_at: '2026-03-01T12:00:00Z', items: [{ product_id: product, quantity: 1, unit_price }] },
  })
  await analytic(stack).RecordPayment(callback(`${product}-a`, 600))
  const message = 'differs from the sale of this payment'
  expect(await analytic(stack).RecordPayment(callback(`${product}-b`, 400))).toMatchObject({ rejected: [{ message }] })
  for (let time = 0; time < 2; time++) {
    const [id] = await open(gateway)
    const again = await replay(stack, rejectedKeyOf(id!)!)
    expect(again).toMatchObject({ outcome: 'rejected', rejection: { code: 'refused', field: 'items', message } })
    expect(await open(gateway)).toEqual([again.rejection!.id])
  }
  await expectNoDrift(db, stack)
})

test('an unknown id is 404, and a correction of an unknown field is 400', async ({ stack, gateway }) => {
  await expect(replay(stack, { batch_id: '999999999', index: 0 })).rejects.toMatchObject({
    status: 404,
    responseText: expect.stringContaining('there is no rejected event 999999999.0'),
  })
  const [key] = (await refused(stack, gateway, 7)) as [RejectedKey]
  await expect(replay(stack, key, { reff_id: 'x' })).rejects.toMatchObject({ status: 400 })
  await expect(replay(stack, { batch_id: '1; drop', index: 0 })).rejects.toMatchObject({ status: 400 })
  await expect(replay(stack, { batch_id: key.batch_id, index: -1 })).rejects.toMatchObject({ status: 400 })
  expect(await open(gateway)).toHaveLength(1)
})

test('the pages of REST have every rejected interaction once', async ({ stack, gateway }) => {
  await refused(stack, gateway, ...Array.from({ length: 7 }, (_each, n) => n))
  const items: unknown[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: RejectedResponse = await list(gateway, `limit=3${cursor && `&cursor=${cursor}`}`)
    items.push(...page.data.map((one) => one.item))
    cursor = page.meta.next_cursor
  }
  expect(items).toEqual([6, 5, 4, 3, 2, 1, 0])
})

test.for<[search: string, field: string]>([
  ['limit=0', 'limit'],
  ['limit=101', 'limit'],
  ['replayed=yes', 'replayed'],
  ['nonsense=1', 'nonsense'],
  ['cursor=', 'cursor'],
  ['cursor=abc', 'cursor'],
  [`cursor=${encodeCursor('top', ['1', '0'])}`, 'cursor'],
  ...[['x', '0'], ['1', 'x'], ['9'.repeat(19), '0'], ['1', '9'.repeat(10)], ['1'], []].map((position): [string, string] => [
    `cursor=${encodeCursor('rejected', position)}`,
    'cursor',
  ]),
])('GET rejected?%s is refused with the field', async ([search, field], { gateway }) => {
  const answer = await fetch(`${gateway.url}/api/v1/analytic/rejected?${search}`)
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({
    error: { code: 'invalid_request', details: [expect.objectContaining({ field })] },
  })
})
