import { sql } from 'kysely'
import { expect, vi } from 'vitest'
import type { RecommendRequest, RecommendResponse } from '../../src/contract/recommendation.ts'
import { catalogApi, shopperApi } from '../../src/contract/services.ts'
import { timeOfUuidV7 } from '../../src/contract/fields/event-id.ts'
import type { VersionSettings } from '../../src/ranking/similarity/version-settings.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { promoteVersion } from '../../src/store/similarity/version.ts'
import { askFor, idsOf, post, recommended, waitForVersion } from '../harness/clients/recommendations.ts'
import { upsert } from '../harness/items/products.ts'
import { idOf, shopProduct, storeShop, versionOfLog, viewed } from '../harness/items/shop-with-history.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'
import { clear } from '../harness/servers/database.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { startStack } from '../harness/servers/stack.ts'

/** The gateway reaches PostgreSQL through a proxy. */
const test = proxiedTest
  .extend('stack', { scope: 'file' }, async ({ db }, { onCleanup }) => {
    const stack = await startStack(db)
    onCleanup(stack.stop)
    return stack
  })
  .extend('gateway', { scope: 'file' }, async ({ proxy, stack }, { onCleanup }) => {
    const gateway = await startGateway(proxy.url, stack)
    onCleanup(gateway.stop)
    return gateway
  })

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
  await storeShop(db)
})

/** Makes a version, and waits until the gateway answers with it. */
async function served(db: Database, gateway: TestGateway, changes: Partial<VersionSettings> = {}): Promise<number> {
  const version = await versionOfLog(db, changes)
  await waitForVersion(gateway, version)
  return version
}

const FIVE = ['p01', 'p02', 'p03', 'p04', 'p05']

test('a visitor gets popular products before the first version, and says so', async ({ gateway }) => {
  const { data, meta } = await recommended(gateway, 'session_id=nobody&limit=5')
  expect(data).toHaveLength(5)
  expect(meta).toMatchObject({ strategy: 'popular', similarity_version: null, interactions: 0, is_partial: false })
  expect(Math.abs(timeOfUuidV7(meta.recommendation_id)! - Date.now())).toBeLessThan(60_000)
})

test('a shopper gets what others went on to, and each score is exactly the sum of its shares', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  const version = await served(db, gateway)
  const { data, meta } = await recommended(gateway, 'account_id=ada&explain=true')
  expect(meta).toMatchObject({ strategy: 'personal', blend: 'similarity', similarity_version: version, interactions: 5 })
  expect(data[0]!.product_id).toBe('p06')
  for (const { score, reasons } of data) {
    expect(reasons!.shares.reduce((sum, { share }) => sum + share, 0)).toBe(reasons!.total)
    expect(score).toBe(reasons!.total / 1e9)
  }
  expect(data[0]!.reasons!.shares[0]).toMatchObject({ part: 'similarity', product_id: 'p05', age: 0, decay: 1 })
})

test('the decay is that of the version which serves, also after a rollback', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  const decays = async () => {
    const { data } = await recommended(gateway, 'account_id=ada&explain=true')
    const shares = data.flatMap(({ reasons }) => reasons!.shares)
    return new Set(shares.flatMap((share) => ('age' in share && share.age === 2 ? [share.decay] : [])))
  }
  const before = await served(db, gateway)
  expect(await decays()).toEqual(new Set([0.6 ** 2]))
  await served(db, gateway, { decay: 0.9, settingsVersion: 3 })
  expect(await decays()).toEqual(new Set([0.9 ** 2]))
  await promoteVersion(db, { version: before, actor: 'ada' })
  await waitForVersion(gateway, before)
  expect(await decays()).toEqual(new Set([0.6 ** 2]))
})

test('the list is the same with and without the explanation', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await served(db, gateway)
  for (const limit of [1, 3, 8, 20, 40]) {
    const query = `account_id=ada&limit=${limit}`
    const short = await recommended(gateway, query)
    const explained = await recommended(gateway, `${query}&explain=true`)
    expect(explained.data.map(({ reasons: _reasons, ...item }) => item)).toEqual(short.data)
  }
})

test('the handler answers as the gateway does', async ({ db, gateway, stack }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await waitForVersion(gateway, await versionOfLog(db), stack)
  const request = { account_id: 'ada', explain: true } as RecommendRequest
  const fromHandler = await stack.ingress.client(catalogApi).Recommend(request)
  const { data, meta } = await recommended(gateway, 'account_id=ada&explain=true')
  expect(fromHandler.data).toEqual(data)
  const { recommendation_id: _id, generated_at: _at, ...rest } = meta
  expect(fromHandler.meta).toMatchObject(rest)
})

test('the next event of a shopper changes the next answer', async ({ db, gateway }) => {
  await viewed(db, { sessionId: 'live' }, FIVE)
  await served(db, gateway)
  expect(idsOf(await recommended(gateway, 'session_id=live'))[0]).toBe('p06')
  const event = { event_type: 'view', ref_type: 'Product', session_id: 'live', ref_id: 'p20' }
  expect((await post(gateway, 'event', event)).status).toBe(202)
  const after = await recommended(gateway, 'session_id=live')
  expect(idsOf(after)[0]).toBe('p21')
  expect(after.meta.interactions).toBe(6)
})

test('a history that the request brings gives what a shopper with that history gets, and nothing is stored', async ({
  db,
  gateway,
}) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await served(db, gateway)
  const ada = await recommended(gateway, 'account_id=ada')
  const history = FIVE.map((product_id, at) => ({
    product_id,
    occurred_at: new Date(Date.now() - (5 - at) * 1_000).toISOString(),
  }))
  const brought = await recommended(gateway, { history })
  expect(brought.data).toEqual(ada.data)
  expect(brought.meta).toMatchObject({ strategy: 'personal', interactions: 5 })
  const shuffled = [history[3], history[0], history[4], history[1], history[2]]
  expect((await recommended(gateway, { history: shuffled })).data).toEqual(ada.data)
  const explained = await recommended(gateway, { history, explain: true })
  expect(explained.data[0]!.reasons!.shares[0]).toMatchObject({ event_id: null, product_id: 'p05' })
  expect(await recommended(gateway, { history: [] })).toMatchObject({ meta: { strategy: 'popular', interactions: 0 } })
})

test('the stars of a rating change nothing; a low rating is no interest, and the product was seen', async ({ db, gateway }) => {
  await served(db, gateway)
  const answerFor = async (event_type: string, seen = 'penalty') => {
    const history = [...FIVE, 'p20'].map((product_id, at) => ({
      product_id,
      occurred_at: new Date(Date.now() - (6 - at) * 1_000).toISOString(),
      ...(product_id === 'p20' && { event_type }),
    }))
    return recommended(gateway, { history, seen, limit: 100 })
  }
  const view = await answerFor('view')
  expect(view.meta.interactions).toBe(6)
  expect((await answerFor('rating_high')).data).toEqual(view.data)
  expect((await answerFor('rating_medium')).data).toEqual(view.data)
  const low = await answerFor('rating_low', 'remove')
  expect(low.meta.interactions).toBe(5)
  expect(idsOf(low)[0]).toBe('p06')
  expect(idsOf(low)).not.toContain('p20')
})

test('a merged session and its account are one shopper, and any other session with it is refused', async ({
  db,
  gateway,
  stack,
}) => {
  await viewed(db, { sessionId: 's1' }, FIVE)
  await viewed(db, { accountId: 'ada' }, ['p20'])
  await served(db, gateway)
  expect((await askFor(gateway, 'account_id=ada&session_id=s1')).status).toBe(400)
  await stack.ingress.client(shopperApi).Merge({ session_id: 's1', account_id: 'ada' })
  const account = await recommended(gateway, 'account_id=ada')
  expect(account.meta.interactions).toBe(6)
  expect((await recommended(gateway, 'session_id=s1')).data).toEqual(account.data)
  expect((await recommended(gateway, 'account_id=ada&session_id=s1')).data).toEqual(account.data)
  const other = await askFor(gateway, 'account_id=ada&session_id=s2')
  expect(other).toMatchObject({ status: 400, json: { error: { details: [{ field: 'session_id' }] } } })
})

test.for([
  ['category_ids=c6', (n: number) => n % 10 === 6],
  ['category_ids=c6&category_ids=c7', (n: number) => n % 10 === 6 || n % 10 === 7],
  ['brands=b2', (n: number) => n % 5 === 2],
  ['seller_ids=s1', (n: number) => n % 2 === 1],
  ['price_min=2000&price_max=2500', (n: number) => n >= 10 && n <= 15],
  ['currency=EUR&price_max=1200', (n: number) => n <= 2],
  ['brands=b2&seller_ids=s1&price_min=1500', (n: number) => n % 5 === 2 && n % 2 === 1 && n >= 5],
] as const)('the filter %s leaves its products alone', async ([filter, isIn], { db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await served(db, gateway)
  const expected = Array.from({ length: 40 }, (_, n) => n).filter(isIn)
  for (const shopper of ['account_id=ada', 'session_id=new']) {
    const ids = idsOf(await recommended(gateway, `${shopper}&${filter}&brand_max=20&limit=100`))
    expect(ids.every((id) => expected.map(idOf).includes(id))).toBe(true)
    // A category has at most 3 of the first 20 places, unless categories are asked for.
    if (filter.startsWith('category')) expect(ids).toHaveLength(expected.length)
  }
})

test('a filter that leaves nothing gives an empty list', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await served(db, gateway)
  for (const filter of ['category_ids=none', 'brands=none', 'seller_ids=none', 'price_min=1000000', 'currency=USD'])
    expect((await recommended(gateway, `account_id=ada&${filter}`)).data).toEqual([])
})

test.for([{ status: 'hidden' }, { status: 'deleted' }, { quantity: 0 }, { quantity: -1 }] as const)(
  'a product with %o is gone from the next answer, and is there again when it can be bought again',
  async (change, { db, gateway }) => {
    await viewed(db, { accountId: 'ada' }, FIVE)
    await served(db, gateway)
    const later = { updated_at: '2026-04-01T00:00:00.000Z' }
    const latest = { updated_at: '2026-04-02T00:00:00.000Z' }
    const questions = [
      'account_id=ada',
      'account_id=ada&explain=true',
      'session_id=new&limit=100',
      'account_id=ada&category_ids=c6',
    ]
    const shown = async () => Promise.all(questions.map(async (each) => idsOf(await recommended(gateway, each)).includes('p06')))
    const before = await shown()
    expect(before).toEqual([true, true, before[2], true])
    await upsert(db, [shopProduct(6, { ...change, ...later })])
    expect(await shown()).toEqual([false, false, false, false])
    await upsert(db, [shopProduct(6, latest)])
    expect(await shown()).toEqual(before)
  },
)

test('what was seen and what was ordered lately sinks, and is removed when asked for', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, ['p04', 'p05'])
  await viewed(db, { accountId: 'ada' }, ['p06'], { eventType: 'purchase', occurredAtMs: Date.now() - 3_600_000 })
  await viewed(db, { accountId: 'ada' }, ['p01', 'p02'])
  await served(db, gateway)
  const reasonsOf = async (query: string, productId: string) => {
    const { data } = await recommended(gateway, `account_id=ada&explain=true&limit=40&${query}`)
    return data.find(({ product_id }) => product_id === productId)?.reasons?.rules.map(({ rule, factor }) => [rule, factor])
  }
  expect(await reasonsOf('', 'p03')).toEqual([])
  expect(await reasonsOf('', 'p06')).toEqual([
    ['recently_ordered', 0.3],
    ['seen', 0.5],
  ])
  expect(await reasonsOf('seen=keep', 'p06')).toEqual([['recently_ordered', 0.3]])
  expect(await reasonsOf('seen=remove', 'p06')).toBe(undefined)
  expect(await reasonsOf('seen=remove', 'p02')).toBe(undefined)
})

test('excluded products are left out, and unknown ones among them are named', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await served(db, gateway)
  const { data, meta } = await recommended(gateway, 'account_id=ada&exclude=p06&exclude=nothing&exclude=p07')
  expect(idsOf({ data })).not.toContain('p06')
  expect(idsOf({ data })).not.toContain('p07')
  expect(meta.unknown_excluded).toEqual(['nothing'])
  expect((await recommended(gateway, 'account_id=ada&exclude=p06')).meta.unknown_excluded).toBe(undefined)
})

test('the first 20 places have at most three products of a category, and as many of a brand as asked for', async ({
  db,
  gateway,
}) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await served(db, gateway)
  const countsOf = ({ data }: Pick<RecommendResponse, 'data'>, modulus: number) =>
    Object.values(Object.groupBy(idsOf({ data }), (id) => Number(id.slice(1)) % modulus)).map((ids) => ids!.length)
  const list = await recommended(gateway, 'account_id=ada')
  expect(list.data).toHaveLength(20)
  expect(Math.max(...countsOf(list, 10))).toBeLessThanOrEqual(3)
  expect(Math.max(...countsOf(await recommended(gateway, 'account_id=ada&brand_max=2'), 5))).toBe(2)
})

test('products that are newer than the version have two of twenty places', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await served(db, gateway)
  await upsert(
    db,
    [50, 51, 52].map((n) => shopProduct(n, { product_id: `new${n}` })),
  )
  const plain = await recommended(gateway, 'account_id=ada')
  expect(idsOf(plain).filter((id) => id.startsWith('new'))).toHaveLength(2)
  const explained = await recommended(gateway, 'account_id=ada&explain=true')
  expect(idsOf(explained)).toEqual(idsOf(plain))
  const fresh = explained.data.find(({ product_id }) => product_id.startsWith('new'))!
  expect(fresh.reasons!.rules).toContainEqual(expect.objectContaining({ rule: 'new_product' }))
})

test('the same question has the same answer, in both blends', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await served(db, gateway)
  for (const query of ['account_id=ada', 'account_id=ada&blend=weighted', 'session_id=new', 'account_id=ada&rotation=true']) {
    // The lists of the test before are kept for a second.
    await vi.waitFor(
      async () => {
        const [one, other] = [await recommended(gateway, query), await recommended(gateway, query)]
        expect(one.data).toEqual(other.data)
        expect(one.meta.recommendation_id).not.toBe(other.meta.recommendation_id)
      },
      { timeout: 10_000, interval: 50 },
    )
  }
})

test('answers during a change of the version are each of one version', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  const versions = [await served(db, gateway)]
  const lists = new Map<number, Set<string>>()
  let isOver = false
  const readers = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const { data, meta } = await recommended(gateway, 'account_id=ada&explain=true')
      const known = lists.get(meta.similarity_version!) ?? new Set()
      lists.set(meta.similarity_version!, known.add(JSON.stringify(data)))
    }
  })
  await viewed(db, { sessionId: 'other' }, ['p05', 'p30', 'p05', 'p30'])
  versions.push(await served(db, gateway))
  isOver = true
  await Promise.all(readers)
  expect(new Set(lists.keys())).toEqual(new Set(versions))
})

test.for([
  ['', 'account_id'],
  ['account_id=', 'account_id'],
  ['account_id=ada&limit=0', 'limit'],
  ['account_id=ada&limit=101', 'limit'],
  ['account_id=ada&limit=ten', 'limit'],
  ['account_id=ada&blend=magic', 'blend'],
  ['account_id=ada&seen=maybe', 'seen'],
  ['account_id=ada&explain=yes', 'explain'],
  ['account_id=ada&price_min=-1', 'price_min'],
  ['account_id=ada&price_min=NaN', 'price_min'],
  ['account_id=ada&price_max=Infinity', 'price_max'],
  ['account_id=ada&price_min=3&price_max=2', 'price_min'],
  ['account_id=ada&currency=euro', 'currency'],
  ['account_id=ada&brand_max=0', 'brand_max'],
  ['account_id=ada&interactions_min=101', 'interactions_min'],
  ['account_id=ada&exclude=top', 'exclude'],
  ['account_id=ada&unknown=1', 'unknown'],
  [`account_id=${'x'.repeat(201)}`, 'account_id'],
] as const)('the query "%s" is refused for its %s', async ([query, field], { gateway }) => {
  const { status, json } = await askFor(gateway, query)
  expect(status).toBe(400)
  expect(json.error?.details?.[0]?.field).toContain(field)
})

test.for([
  ['{}', 'history'],
  ['{"history":{}}', 'history'],
  ['{"history":[{"product_id":"lamp"}]}', 'occurred_at'],
  ['{"history":[{"product_id":"lamp","occurred_at":"yesterday"}]}', 'occurred_at'],
  ['{"history":[{"product_id":"lamp","occurred_at":"2026-03-01T12:00:00Z","rating":5}]}', 'rating'],
  ['{"history":[],"account_id":"ada"}', 'account_id'],
  ['{"history":[],"limit":1e400}', 'limit'],
  [
    JSON.stringify({ history: Array.from({ length: 101 }, () => ({ product_id: 'p', occurred_at: '2026-03-01T12:00:00Z' })) }),
    'history',
  ],
  [JSON.stringify({ history: [], exclude: Array.from({ length: 501 }, (_, n) => `x${n}`) }), 'exclude'],
] as const)('the body %s is refused for its %s', async ([body, field], { gateway }) => {
  const { status, json } = await post(gateway, 'recommendations', body)
  expect(status).toBe(400)
  expect(JSON.stringify(json)).toContain(field)
})

test('without PostgreSQL the answer is 503, and comes back with it', async ({ db, gateway, proxy }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await served(db, gateway)
  await proxy.cut()
  const { status, json } = await askFor(gateway, 'account_id=ada')
  expect([status, json.error?.code]).toEqual([503, 'unavailable'])
  await proxy.mend()
  expect((await recommended(gateway, 'account_id=ada')).data).toHaveLength(20)
})
