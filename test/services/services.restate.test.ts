import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { SERVICE_APIS, analyticApi, popularityApi, scheduleApi } from '../../src/contract/services.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { interaction, record } from '../harness/items/events.ts'
import { query, type Stack } from '../harness/servers/stack.ts'
import { until } from '../../src/main/embedded/until.ts'
import { restateTest as test } from '../harness/fixtures.ts'

const event = (changes: object = {}) => ({
  event_id: randomUUID(),
  occurred_at: new Date().toISOString(),
  account_id: 'a',
  event_type: 'view',
  ref_type: 'Product',
  ref_id: 'p',
  ...changes,
})
const analytic = (stack: Stack) => stack.ingress.client(analyticApi)
const productOf = (stack: Stack, product_id: string) => stack.ingress.client(popularityApi).Get({ product_id })

test('a batch sent twice is counted once', async ({ db, stack }) => {
  const interactions = [event(), event({ event_type: 'purchase' }), event({ ref_id: 'q', nonsense: 1 })]
  expect(await analytic(stack).CreateInteraction({ interactions })).toEqual({
    accepted: 2,
    duplicates: 0,
    duplicate_indexes: [],
    rejected: [{ index: 2, code: 'invalid', field: 'nonsense', message: 'is not a field of an interaction' }],
  })
  expect(await analytic(stack).CreateInteraction({ interactions })).toMatchObject({
    accepted: 0,
    duplicates: 2,
    duplicate_indexes: [0, 1],
  })
  await stack.settled()
  const product = await productOf(stack, 'p')
  expect(product).toMatchObject({ product_id: 'p', score: 1.1, view_count: 1, purchase_count: 1 })
  expect(product.trending_score).toBeCloseTo(1.1, 3)
  expect((await verify(db)).drift).toEqual([])
})

test('events without ids are recorded once per idempotency key, and again under another', async ({ stack }) => {
  const interactions = [{ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'no id' }]
  const withKey = (idempotencyKey: string) =>
    analytic(stack).CreateInteraction({ interactions }, clients.rpc.opts({ idempotencyKey }))
  const [key, other] = [randomUUID(), randomUUID()]
  const answers = await Promise.all([withKey(key), withKey(key), withKey(key), withKey(other)])
  expect(answers.map((answer) => answer.accepted)).toEqual([1, 1, 1, 1])
  await stack.settled()
  expect(await productOf(stack, 'no id')).toMatchObject({ view_count: 2 })
})

test('an event with a UUIDv7 and no time occurred at the time of its id', async ({ stack }) => {
  await analytic(stack).CreateInteraction({
    interactions: [event({ event_id: '018bcfe5-6800-7000-8000-0000000000ab', occurred_at: undefined, ref_id: 'v7' })],
  })
  await stack.settled()
  expect((await productOf(stack, 'v7')).last_interaction).toBe('2023-11-14T22:13:20.000Z')
})

test('unknown event types and interactions with categories are recorded without a score', async ({ db, stack }) => {
  const interactions = [event({ event_type: 'unheard_of', ref_id: 'u' }), event({ ref_type: 'Category', ref_id: 'shelf' })]
  expect(await analytic(stack).CreateInteraction({ interactions })).toMatchObject({ accepted: 2 })
  await stack.settled()
  expect(await productOf(stack, 'u')).toMatchObject({ score: 0, trending_score: 0, view_count: 0 })
  await expect(productOf(stack, 'shelf')).rejects.toMatchObject({ status: 404 })
  const { rows } = await sql<{
    is_category: boolean
  }>`select is_category from interaction where ref_id in ('u', 'shelf') order by 1`.execute(db)
  expect(rows.map((row) => row.is_category)).toEqual([false, true])
})

test("a shopper's interactions with a product can be read by SQL", async ({ db, stack }) => {
  const first = event({ account_id: 'ann', session_id: 's1', ref_id: 'sofa', occurred_at: '2026-01-02T03:04:05.678Z' })
  await analytic(stack).CreateInteraction({
    interactions: [first, event({ account_id: 'ann', ref_id: 'sofa', occurred_at: '2026-01-02T03:04:05Z' })],
  })
  await analytic(stack).CreateInteraction({ interactions: [event({ account_id: undefined, session_id: 's1', ref_id: 'sofa' })] })
  await stack.settled()
  const { rows } =
    await sql`select shopper_id, event_type, events, last_at from shopper_product where product_id = 'sofa' order by 1`.execute(
      db,
    )
  expect(rows).toEqual([
    { shopper_id: 'account:ann', event_type: 'view', events: 2, last_at: new Date('2026-01-02T03:04:05.678Z') },
    { shopper_id: 'session:s1', event_type: 'view', events: 1, last_at: expect.any(Date) },
  ])
})

/** Every handler of every service, and whether its description says that it is private. */
const HANDLERS = SERVICE_APIS.flatMap((api) =>
  Object.entries(api._handlers as Record<string, { _description?: string }>).map(([handler, { _description }]) => ({
    path: [api.name, ...(api._kind === 'object' ? ['key'] : []), handler].join('/'),
    service: api.name,
    handler,
    isPrivate: _description!.startsWith('Private.'),
  })),
)

test('exactly the handlers that are described as private are private', async ({ stack }) => {
  const answer = await fetch(`${stack.adminUrl}/services`)
  const { services } = (await answer.json()) as { services: { name: string; handlers: { name: string; public: boolean }[] }[] }
  const registered = services.flatMap(({ name, handlers }) =>
    handlers.map((handler) => `${name}/${handler.name} ${handler.public ? 'public' : 'private'}`),
  )
  const described = HANDLERS.map(({ service, handler, isPrivate }) => `${service}/${handler} ${isPrivate ? 'private' : 'public'}`)
  expect(registered.sort()).toEqual(described.sort())
})

test.for(HANDLERS.filter(({ isPrivate }) => isPrivate))(
  'the ingress refuses the private handler $path',
  async ({ path }, { stack }) => {
    const answer = await fetch(`${stack.ingressUrl}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('not public')])
  },
)

test('Verify through the ingress finds no drift', async ({ stack }) => {
  await stack.settled()
  expect(await analytic(stack).Verify({})).toMatchObject({ drift: [], horizon: '2000-01-01T00:00:00.000Z' })
})

test('no invocation of a read is retained', async ({ stack }) => {
  await productOf(stack, 'p').catch(() => undefined)
  await stack.ingress.client(popularityApi).Top({ limit: 1 })
  const rows = await query(stack, "select id from sys_invocation where target_handler_name in ('Get', 'Top')")
  expect(rows).toEqual([])
})

test('the sweeper sends a batch that was left behind, and its schedule starts once', async ({ db, stack }) => {
  const left = await record(db, [interaction({ refId: 'left behind' })])
  await sql`update interaction_batch set received_at = now() - interval '10 minutes' where batch_id = ${left.batchId}`.execute(db)
  const sweep = stack.ingress.client(scheduleApi, 'sweep')
  await sweep.Start({ every_ms: 3_600_000 })
  await stack.settled()
  expect(await productOf(stack, 'left behind')).toMatchObject({ view_count: 1 })
  await until(async () => (await sweep.Info({})).last_run?.outcome === 'completed', 10_000)
  const info = await sweep.Info({})
  await sweep.Start({ every_ms: 3_600_000 })
  expect(await sweep.Info({})).toMatchObject({ running: true, every_ms: 3_600_000, next_at: info.next_at })
  await sweep.Stop({})
  expect(await sweep.Info({})).toEqual({ ...info, running: false, every_ms: null, next_at: null })
})

test('a task that does not exist, or an interval over a day, cannot be scheduled', async ({ stack }) => {
  const start = (name: string, every_ms: number) => stack.ingress.client(scheduleApi, name).Start({ every_ms })
  await expect(start('toString', 3_600_000)).rejects.toMatchObject({ status: 404 })
  const tooLong = await fetch(`${stack.ingressUrl}/Schedule/sweep/Start`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"every_ms": 1e15}',
  })
  expect(tooLong.status).toBe(400)
})
