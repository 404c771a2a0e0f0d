import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { timeOfUuidV7, uuidV7 } from '../../src/contract/event-id.ts'
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
import { createDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { answerOf, failingOnce } from '../harness/servers/fail-points.ts'
import { type Stack, startStack } from '../harness/servers/stack.ts'

let database: TestDatabase
let stack: Stack
let gateway: TestGateway
const failing = failingOnce()
let product: string
let tests = 0
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
  stack = await startStack(database.db, {}, [failing.hook])
  gateway = await startGateway(database.url, stack)
})
afterAll(async () => {
  await gateway.stop()
  await stack.stop()
  await database.drop()
})
beforeEach(async () => {
  product = `p${++tests}`
  await sql`truncate rejected_interaction`.execute(database.db)
})

const event = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  session_id: 's',
  event_type: 'view',
  ref_type: 'Product',
  ref_id: product,
  ...changes,
})
const analytic = () => stack.ingress.client(analyticApi)
const views = async (product_id = product) =>
  (
    await stack.ingress
      .client(popularityApi)
      .Get({ product_id })
      .catch(() => undefined)
  )?.view_count ?? 0

/** PostgreSQL refuses the product of this test until it is mended. */
const spoil = () =>
  sql`alter table interaction add constraint no_product check (ref_id <> ${sql.lit(product)})`.execute(database.db)
const mend = () => sql`alter table interaction drop constraint no_product`.execute(database.db)

/** Sends items that are all refused, and gives their keys in order. */
async function refused(...interactions: unknown[]): Promise<RejectedKey[]> {
  const { rejected } = await analytic().CreateInteraction({ interactions })
  expect(rejected).toHaveLength(interactions.length)
  const { data } = await list(`limit=${interactions.length}`)
  return data.toReversed().map(({ batch_id, index }) => ({ batch_id, index }))
}

async function list(search = ''): Promise<RejectedResponse> {
  const answer = await fetch(`${gateway.url}/api/v1/analytic/rejected?${search}`)
  expect(answer.status).toBe(200)
  return (await answer.json()) as RejectedResponse
}

function replay(key: RejectedKey, set?: Correction): Promise<ReplayRejectedResponse> {
  return analytic().ReplayRejected({ ...key, ...(set && { set }) }, clients.rpc.opts({ idempotencyKey: randomUUID() }))
}

const open = async () => (await list()).data.map((one: RejectedInteraction) => one.id)

async function expectNoDrift(): Promise<void> {
  await stack.settled()
  expect((await verify(database.db)).drift).toEqual([])
}

test('what PostgreSQL refused is counted once when it is replayed after a fix', async () => {
  await spoil()
  const own = event({ event_id: randomUUID(), occurred_at: '2026-01-02T03:04:05Z' })
  const [withId, without] = (await refused(own, event())) as [RejectedKey, RejectedKey]
  expect((await list()).data).toMatchObject([
    { batch_id: without.batch_id, index: 1, code: 'refused', field: null, item: event(), replayed_at: null },
    { batch_id: withId.batch_id, index: 0, code: 'refused', item: own, message: expect.stringContaining('no_product') },
  ])
  await mend()
  expect(await replay(withId)).toEqual({ outcome: 'accepted', event_id: own['event_id'] })
  const answer = await replay(without)
  expect(answer.outcome).toBe('accepted')
  // Now, when it was sent without a time, was the time of arrival.
  const { data } = await list('replayed=true')
  expect(timeOfUuidV7(answer.event_id!)).toBe(Date.parse(data[0]!.received_at))
  expect(data.map((one) => one.replayed_at)).toEqual([expect.stringMatching(/Z$/), expect.stringMatching(/Z$/)])
  expect(await open()).toEqual([])
  await expectNoDrift()
  expect(await views()).toBe(2)
})

test('a replay that is repeated is a conflict that says what became of it, and counts nothing', async () => {
  await spoil()
  const [key] = (await refused(event())) as [RejectedKey]
  const again = await replay(key)
  expect(again).toMatchObject({ outcome: 'rejected', rejection: { code: 'refused' } })
  await mend()
  await expect(replay(key)).rejects.toMatchObject({
    status: 409,
    responseText: expect.stringContaining(`refused again as ${again.rejection!.id}`),
  })
  const next = rejectedKeyOf(again.rejection!.id)!
  const once = clients.rpc.opts<RejectedKey & { set?: Correction }, ReplayRejectedResponse>({ idempotencyKey: randomUUID() })
  const answers = [await analytic().ReplayRejected(next, once), await analytic().ReplayRejected(next, once)]
  expect(answers[0]).toMatchObject({ outcome: 'accepted' })
  expect(answers[1]).toEqual(answers[0])
  await expect(replay(next)).rejects.toMatchObject({ status: 409, responseText: expect.stringContaining(': accepted') })
  await expectNoDrift()
  expect(await views()).toBe(1)
})

test('an event that came without an id keeps its identity through every refusal', async () => {
  await spoil()
  const [key] = (await refused(event())) as [RejectedKey]
  const first = await replay(key)
  const { item, received_at } = (await list()).data[0]!
  await mend()
  const { event_id } = item as { event_id: string }
  expect(await replay(rejectedKeyOf(first.rejection!.id)!)).toEqual({ outcome: 'accepted', event_id })
  expect(timeOfUuidV7(event_id)).toBeLessThan(Date.parse(received_at))
  // Sent by the shop itself meanwhile, it is a duplicate.
  expect(await analytic().CreateInteraction({ interactions: [event({ event_id })] })).toMatchObject({ duplicates: 1 })
})

test('an event that was recorded meanwhile is a duplicate', async () => {
  await spoil()
  const own = event({ event_id: randomUUID(), occurred_at: '2026-01-02T03:04:05Z' })
  const [key] = (await refused(own)) as [RejectedKey]
  await mend()
  await analytic().CreateInteraction({ interactions: [own] })
  expect(await replay(key)).toEqual({ outcome: 'duplicate', event_id: own['event_id'] })
  await expect(replay(key)).rejects.toMatchObject({ status: 409, responseText: expect.stringContaining('a duplicate') })
  await expectNoDrift()
  expect(await views()).toBe(1)
})

test('of many operators who replay at the same time one is answered, and the rest hear of a conflict', async () => {
  await spoil()
  const [good] = (await refused(event())) as [RejectedKey]
  await mend()
  const [bad] = (await refused(event({ ref_id: 5 }))) as [RejectedKey]
  for (const [key, outcome] of [[good, 'accepted'] as const, [bad, 'rejected'] as const]) {
    const answers = await Promise.allSettled(Array.from({ length: 6 }, () => replay(key)))
    const decided = answers.filter((one) => one.status === 'fulfilled').map((one) => one.value.outcome)
    expect(decided).toEqual([outcome])
    for (const one of answers) if (one.status === 'rejected') expect(one.reason).toMatchObject({ status: 409 })
  }
  expect(await open()).toHaveLength(1)
  expect((await list('replayed=true')).data).toHaveLength(3)
  await expectNoDrift()
  expect(await views()).toBe(1)
})

test.each(['record the replay', answerOf('ReplayRejected')])(
  'a replay that dies at "%s" answers as if nothing had happened, and counts once',
  async (point) => {
    await spoil()
    const [good] = (await refused(event())) as [RejectedKey]
    await mend()
    const [bad] = (await refused(7)) as [RejectedKey]
    failing.left.add(point)
    expect(await replay(good)).toMatchObject({ outcome: 'accepted' })
    expect([...failing.left]).toEqual([])
    failing.left.add(point)
    expect(await replay(bad)).toMatchObject({ outcome: 'rejected' })
    expect([...failing.left]).toEqual([])
    expect(await open()).toHaveLength(1)
    await expectNoDrift()
    expect(await views()).toBe(1)
  },
)

test('a repair makes an event of what was wrong, and what is still wrong is refused again under a new id', async () => {
  const { ref_id: _none, ...incomplete } = event({ nonsense: 1 })
  const [missing, number, text, nothing] = await refused(incomplete, 7, 'text', null)
  const again = await replay(missing!, { ref_id: product })
  expect(again).toMatchObject({ outcome: 'rejected', rejection: { code: 'invalid', field: 'nonsense' } })
  expect(await replay(rejectedKeyOf(again.rejection!.id)!, { nonsense: null })).toMatchObject({ outcome: 'accepted' })
  for (const key of [number!, text!, nothing!]) {
    expect(await replay(key)).toMatchObject({ outcome: 'rejected', rejection: { code: 'invalid', field: null } })
  }
  expect((await list()).data.map((one) => one.item)).toEqual([null, 'text', 7])
  expect(await replay(rejectedKeyOf((await open())[0]!)!, event())).toMatchObject({ outcome: 'accepted' })
  await expectNoDrift()
  expect(await views()).toBe(2)
})

test('an event of the future is refused until its time comes, or is given another', async () => {
  const ms = Date.parse('2099-01-01T00:00:00Z')
  const future = event({ event_id: uuidV7(ms, Buffer.from('0123456789')), occurred_at: '2099-01-01T00:00:00Z' })
  const [key] = (await refused(future)) as [RejectedKey]
  const again = await replay(key)
  expect(again).toMatchObject({ outcome: 'rejected', rejection: { code: 'in_future', field: 'occurred_at' } })
  expect((await list()).data).toMatchObject([{ id: again.rejection!.id, item: future }])
  const mended = await replay(rejectedKeyOf(again.rejection!.id)!, { occurred_at: '2026-01-02T03:04:05Z' })
  expect(mended.outcome).toBe('accepted')
  expect(timeOfUuidV7(mended.event_id!)).toBe(Date.parse('2026-01-02T03:04:05Z'))
  await expectNoDrift()
})

test('an event before the horizon is refused again as what it is', async () => {
  await sql`update log_horizon set horizon = '2005-01-01'`.execute(database.db)
  const early = event({ event_id: randomUUID(), occurred_at: '2004-01-01T00:00:00Z' })
  const [key] = (await refused(early)) as [RejectedKey]
  expect(await replay(key)).toMatchObject({ outcome: 'rejected', rejection: { code: 'too_old', field: 'occurred_at' } })
  expect(await replay(rejectedKeyOf((await open())[0]!)!, { occurred_at: '2005-01-01T00:00:00Z' })).toEqual({
    outcome: 'accepted',
    event_id: early['event_id'],
  })
})

test('an unknown id is 404, and a repair of what is no field is 400', async () => {
  await expect(replay({ batch_id: '999999999', index: 0 })).rejects.toMatchObject({
    status: 404,
    responseText: expect.stringContaining('there is no rejected item 999999999.0'),
  })
  const [key] = (await refused(7)) as [RejectedKey]
  await expect(replay(key, { reff_id: 'x' })).rejects.toMatchObject({ status: 400 })
  await expect(replay({ batch_id: '1; drop', index: 0 })).rejects.toMatchObject({ status: 400 })
  await expect(replay({ batch_id: key.batch_id, index: -1 })).rejects.toMatchObject({ status: 400 })
  expect(await open()).toHaveLength(1)
})

test('REST pages through the list, and its pages have every refused interaction once', async () => {
  await refused(...Array.from({ length: 7 }, (_each, n) => n))
  const items: unknown[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: RejectedResponse = await list(`limit=3${cursor && `&cursor=${cursor}`}`)
    items.push(...page.data.map((one) => one.item))
    cursor = page.meta.next_cursor
  }
  expect(items).toEqual([6, 5, 4, 3, 2, 1, 0])
})

test.each<[search: string, field: string]>([
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
])('GET rejected?%s is refused and names the field', async (search, field) => {
  const answer = await fetch(`${gateway.url}/api/v1/analytic/rejected?${search}`)
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({
    error: { code: 'invalid_request', details: [expect.objectContaining({ field })] },
  })
})
