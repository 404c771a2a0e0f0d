import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { SimilarRequest, SimilarResponse } from '../../src/contract/similar-product.ts'
import { VERSION_DEFAULTS } from '../../src/ranking/similarity/version-settings.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { createSimilarProducts } from '../../src/store/recommendations/similar-products.ts'
import { makeVersion } from '../../src/store/similarity/make-version.ts'
import { completeSimilarityRun } from '../../src/store/similarity/run-machine.ts'
import { createServedVersions } from '../../src/store/similarity/served-versions.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { similarityInProcess } from '../harness/items/similarity-in-process.ts'
import { beginRunOf } from '../harness/items/similarity.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
})

async function make(db: Database): Promise<number> {
  const runId = await beginRunOf(db)
  const version = (await makeVersion(db, runId, VERSION_DEFAULTS, similarityInProcess))!
  await completeSimilarityRun(db, runId, version)
  return version
}

const NOW_MS = Date.now()

function visit(accountId: string, refIds: readonly string[], changes: Partial<NewInteraction> = {}): NewInteraction[] {
  return refIds.map((refId, at) => interaction({ accountId, refId, occurredAtMs: NOW_MS - 100_000 + at * 1_000, ...changes }))
}

async function ask(db: Database, request: { product_id: string } & Partial<SimilarRequest>): Promise<SimilarResponse> {
  const versions = createServedVersions({ db, bytesMax: 1024 * 1024, pollMs: 0 })
  const similar = createSimilarProducts({ versions, db, bytesMax: 1024 * 1024 })
  const answer = await similar.answer(db, SimilarRequest.parse(request))
  // Where facts are not read, the answer is the same.
  const quick = await similar.quick(SimilarRequest.parse(request))
  if (quick !== undefined) expect(quick).toEqual(answer)
  expect(SimilarResponse.parse(answer)).toEqual(answer)
  expect(answer.data.map(({ rank }) => rank)).toEqual(answer.data.map((_, at) => at + 1))
  for (const { score, reasons } of answer.data) {
    if (reasons === undefined) continue
    expect(reasons.shares.reduce((sum, { share }) => sum + share, 0)).toBe(reasons.total)
    expect(reasons.total).toBe(Math.round(score * 1e9))
  }
  return answer
}

const idsOf = ({ data }: SimilarResponse) => data.map(({ product_id: id }) => id)

test('similar products are those before and after it, with both directions of the similarity', async ({ db }) => {
  await recordAndCount(db, [
    ...visit('a', ['lamp', 'shade']),
    ...visit('b', ['lamp', 'shade', 'bulb']),
    ...visit('c', ['shade', 'lamp']),
    ...visit('d', ['rug', 'sofa']),
  ])
  const version = await make(db)
  const { data, meta } = await ask(db, { product_id: 'lamp', explain: true })
  expect(meta).toEqual({ kind: 'similar', strategy: 'similarity', similarity_version: version, is_partial: false })
  expect(data.map(({ product_id: id }) => id)).toEqual(['shade', 'bulb'])
  const parts = data[0]!.reasons!.shares.map((share) =>
    share.part === 'to' || share.part === 'from' ? [share.part, share.pairs] : [share.part],
  )
  expect(parts).toEqual(
    expect.arrayContaining([
      ['from', 3],
      ['to', 3],
    ]),
  )
  expect(parts).toHaveLength(2)
  // The list of the shade has the lamp with the same score.
  const back = await ask(db, { product_id: 'shade' })
  expect(back.data.find(({ product_id: id }) => id === 'lamp')!.score).toBe(data[0]!.score)
  expect(idsOf(await ask(db, { product_id: 'lamp', limit: 1 }))).toEqual(['shade'])
})

test('hidden, deleted and sold-out products are left out at once, and the list fills with others', async ({ db }) => {
  const others = Array.from({ length: 60 }, (_, n) => `o${String(n).padStart(2, '0')}`)
  await recordAndCount(
    db,
    others.flatMap((id, n) => Array.from({ length: 60 - n }, (_, times) => visit(`${id} ${times}`, ['lamp', id])).flat()),
  )
  await upsert(db, [product({ product_id: 'lamp', category: 'lamps' })])
  await make(db)
  expect(idsOf(await ask(db, { product_id: 'lamp', limit: 3 }))).toEqual(['o00', 'o01', 'o02'])
  const gone = others.slice(0, 55).map((id, n) =>
    product({
      product_id: id,
      ...[{ status: 'hidden' as const }, { status: 'deleted' as const }, { quantity: 0 }, { quantity: -2 }][n % 4],
    }),
  )
  await upsert(db, gone)
  expect(idsOf(await ask(db, { product_id: 'lamp', limit: 3 }))).toEqual(['o55', 'o56', 'o57'])
  await upsert(db, [product({ product_id: 'o00', quantity: 1, updated_at: '2026-05-01T00:00:00Z' })])
  expect(idsOf(await ask(db, { product_id: 'lamp', limit: 2 }))).toEqual(['o00', 'o55'])
})

test('bought together has the orders with both, of each and of the other', async ({ db }) => {
  const buy = (order: string, refIds: readonly string[]) =>
    visit('a', refIds, { eventType: 'purchase', metadata: { order_id: order } })
  await recordAndCount(db, [
    ...buy('1', ['lamp', 'bulb']),
    ...buy('2', ['lamp', 'bulb']),
    ...buy('3', ['lamp', 'shade']),
    ...buy('4', ['bulb']),
    ...visit('b', ['lamp', 'rug']),
  ])
  await make(db)
  const { data, meta } = await ask(db, { product_id: 'lamp', kind: 'bought_together', explain: true })
  expect(meta).toMatchObject({ kind: 'bought_together', strategy: 'bought_together' })
  expect(data.map(({ product_id: id, reasons }) => [id, reasons!.shares[0]])).toEqual([
    ['bulb', expect.objectContaining({ together: 2, orders: 3, other_orders: 3 })],
    ['shade', expect.objectContaining({ together: 1, orders: 3, other_orders: 1 })],
  ])
  expect((await ask(db, { product_id: 'rug', kind: 'bought_together' })).data).toEqual([])
})

test('alternatives are of its category, the similar ones first', async ({ db }) => {
  await recordAndCount(db, [...visit('a', ['lamp', 'bulb']), ...visit('b', ['lamp', 'torch'])])
  await upsert(db, [
    product({ product_id: 'lamp', category: 'lamps', brand: 'Lumen' }),
    product({ product_id: 'bulb', category: 'bulbs', brand: 'Lumen' }),
    product({ product_id: 'torch', category: 'lamps' }),
    product({ product_id: 'globe', category: 'lamps', brand: 'Lumen' }),
    product({ product_id: 'lantern', category: 'lamps' }),
    product({ product_id: 'gone', category: 'lamps', status: 'hidden' }),
  ])
  await make(db)
  expect(idsOf(await ask(db, { product_id: 'lamp', kind: 'alternatives' }))).toEqual(['torch', 'globe', 'lantern'])
  expect(idsOf(await ask(db, { product_id: 'lamp' }))).toEqual(['bulb', 'torch', 'globe', 'lantern'])
  const { data } = await ask(db, { product_id: 'lamp', explain: true })
  expect(data.map(({ score }) => score)).toEqual(data.map(({ score }) => score).toSorted((one, other) => other - one))
  // Without a category there is none.
  expect((await ask(db, { product_id: 'unknown to all' }).catch((error: Error) => error)) as unknown).toMatchObject({
    code: 'not_found',
  })
})

test('a product newer than the similarities has those of its category and brand, and the answer says so', async ({ db }) => {
  await upsert(db, [
    product({ product_id: 'globe', category: 'lamps', brand: 'Lumen' }),
    product({ product_id: 'torch', category: 'lamps', brand: 'Other' }),
    product({ product_id: 'bulb', category: 'bulbs', brand: 'Lumen' }),
    product({ product_id: 'rug', category: 'rugs', brand: 'Woven' }),
  ])
  const before = await ask(db, { product_id: 'globe' })
  expect(before.meta).toMatchObject({ strategy: 'category_and_brand', similarity_version: null })
  const version = await make(db)
  await upsert(db, [product({ product_id: 'new', category: 'lamps', brand: 'Lumen' })])
  for (const kind of ['similar', 'bought_together'] as const) {
    const { data, meta } = await ask(db, { product_id: 'new', kind, explain: true })
    expect(meta).toMatchObject({ kind, strategy: 'category_and_brand', similarity_version: version })
    expect(data.map(({ product_id: id, score }) => [id, score])).toEqual([
      ['globe', 1],
      ['bulb', 0.5],
      ['torch', 0.5],
    ])
    expect(data[0]!.reasons!.shares.map(({ part }) => part).toSorted()).toEqual(['brand', 'category'])
  }
  expect(idsOf(await ask(db, { product_id: 'new', kind: 'alternatives' }))).toEqual(['globe', 'torch'])
})

test('a product that only events have is known, and one that nothing has is not', async ({ db }) => {
  await make(db)
  await recordAndCount(db, visit('a', ['seen']))
  const { data, meta } = await ask(db, { product_id: 'seen' })
  expect([data, meta.strategy]).toEqual([[], 'category_and_brand'])
  await expect(ask(db, { product_id: 'never' })).rejects.toMatchObject({ code: 'not_found' })
})
