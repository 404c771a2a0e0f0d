import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { compareBytes } from '../../src/ranking/byte-order.ts'
import { VERSION_DEFAULTS, type VersionSettings } from '../../src/ranking/similarity/version-settings.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { makeVersion, type VersionJob } from '../../src/store/similarity/make-version.ts'
import { rowsOf, type SimilarityRow } from '../../src/store/similarity/rows.ts'
import { cancelSimilarityRun, completeSimilarityRun } from '../../src/store/similarity/run-machine.ts'
import { similarityVersions } from '../../src/store/similarity/version.ts'
import { startSimilarityJob } from '../../src/workers/similarity-job.ts'
import { interaction, record } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { beginRunOf, productIdsOf } from '../harness/items/similarity.ts'
import { type Neighbour, slowRows } from './reference.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
})

const NOW_MS = Date.now()
const MINUTE_MS = 60_000
const startJob = (settings: VersionSettings) => startSimilarityJob(settings, 2)

/** Makes a version and puts it in force. */
async function made(db: Database, settings: VersionSettings = VERSION_DEFAULTS): Promise<number> {
  const runId = await beginRunOf(db)
  const version = (await makeVersion(db, runId, settings, startJob))!
  expect(await completeSimilarityRun(db, runId, version)).toBe('completed')
  return version
}

/** The rows of a version by product id, with the ids of other products. */
async function rowsById(db: Database, version: number): Promise<Map<string, Row>> {
  const [{ products } = { products: 0 }] = await similarityVersions(db)
  const ids = await productIdsOf(db, version, products)
  expect(ids).toEqual(ids.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))))
  const rows = await rowsOf(db, version, [...ids.keys()])
  expect(rows).toHaveLength(products)
  return new Map(rows.map((row) => [ids[row.productNo]!, namedRow(row, ids)]))
}

interface Row {
  neighbours: (readonly [id: string, score: number, count: number])[]
  content: (readonly [id: string, cosine: number])[]
  bought: (readonly [id: string, count: number])[]
}

function namedRow(row: SimilarityRow, ids: readonly string[]): Row {
  return {
    neighbours: Array.from(row.neighbours, (no, at) => [ids[no]!, row.scores[at]!, row.counts[at]!] as const),
    content: Array.from(row.contentNeighbours, (no, at) => [ids[no]!, row.cosines[at]!] as const),
    bought: Array.from(row.bought, (no, at) => [ids[no]!, row.boughtCounts[at]!] as const),
  }
}

const IDS = ['b', 'a', 'é', '🜁', '\uffee', '"\\', 'a b']
/** Session s0 belongs to the account a0 in the end. */
const SHOPPERS = [
  { accountId: 'a0', sessionId: null },
  { accountId: 'a0', sessionId: 's1' },
  { accountId: null, sessionId: 's0' },
  { accountId: null, sessionId: 's2' },
  { accountId: 'a1', sessionId: 's0' },
]
const SHOPPER_OF = [0, 0, 0, 1, 2]

const event = fc.record({ shopper: fc.nat(4), product: fc.nat(IDS.length - 1), day: fc.nat(2) })
const bounds = fc.record({
  window: fc.integer({ min: 1, max: 5 }),
  neighboursMax: fc.integer({ min: 1, max: 5 }),
  shopperEventsMax: fc.integer({ min: 2, max: 15 }),
  productEventsMax: fc.integer({ min: 1, max: 10 }),
  botEventsPerDay: fc.integer({ min: 3, max: 20 }),
})

test('a version is what the obvious slow way gives for the log, with any bounds', { timeout: 120_000 }, async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 50 }), bounds, async (events, changes) => {
      await clear(db)
      const log = events.toSorted((one, other) => one.day - other.day)
      await record(db, log.map(recordedOf))
      await sql`insert into shopper_redirect (session_id, account_id) values ('s0', 'a0')`.execute(db)
      const settings = { ...VERSION_DEFAULTS, ...changes }
      const rows = await rowsById(db, await made(db, settings))
      const ids = [...new Set(log.map(({ product: number }) => IDS[number]!))].toSorted(compareBytes)
      const slow = slowRows(
        log.map(({ shopper, product: number, day }) => ({
          shopper: SHOPPER_OF[shopper]!,
          product: ids.indexOf(IDS[number]!),
          day,
        })),
        ids.length,
        settings,
      )
      expect([...rows.keys()].toSorted(compareBytes)).toEqual(ids)
      ids.forEach((id, number) => expect([id, rows.get(id)!.neighbours]).toEqual([id, slow[number]!.map(namedBy(ids))]))
    }),
    { numRuns: 15 },
  )
})

function namedBy(ids: readonly string[]) {
  return ({ product: number, score, count }: Neighbour) => [ids[number]!, score, count]
}

function recordedOf({ shopper, product: number, day }: { shopper: number; product: number; day: number }, index: number) {
  const dayStart = Math.floor(NOW_MS / 86_400_000 - 10 + day) * 86_400_000
  const occurredAtMs = dayStart + index * MINUTE_MS
  return interaction({ ...SHOPPERS[shopper]!, refId: IDS[number]!, occurredAtMs })
}

/** Events of one shopper, a minute apart. */
function visit(refIds: readonly string[], changes: Partial<NewInteraction> = {}): NewInteraction[] {
  return refIds.map((refId, at) => interaction({ refId, occurredAtMs: NOW_MS - (refIds.length - at) * MINUTE_MS, ...changes }))
}

test('only product events whose type has a weight above 0 count', async ({ db }) => {
  await record(db, [
    ...visit(['lamp', 'desk']),
    ...visit(['lamp', 'chair'], { accountId: 'b', eventType: 'dislike' }),
    ...visit(['lamp', 'shelf'], { accountId: 'c', eventType: 'unheard_of' }),
    ...visit(['lamp', 'lamps'], { accountId: 'd', refType: 'Category' }),
  ])
  const rows = await rowsById(db, await made(db))
  expect([...rows.keys()]).toEqual(['desk', 'lamp'])
  const [version] = await similarityVersions(db)
  expect(version).toMatchObject({ products: 2, shoppers: 1, events: 2, pairs: 2, bots: 0 })
  expect(version!.event_types).toContain('view')
  expect(version!.event_types).not.toContain('dislike')
})

test('products of the catalog are like each other by category and brand, also without events', async ({ db }) => {
  const lamps = ['floor', 'table'].map((id) => product({ product_id: id, category: 'home/lamps', brand: 'Lumen' }))
  const others = Array.from({ length: 50 }, (_, n) => product({ product_id: `o${n}`, category: `c${n}` }))
  await upsert(db, [...lamps, ...others, product({ product_id: 'gone', category: 'home/lamps', status: 'deleted' })])
  const rows = await rowsById(db, await made(db))
  expect(rows.size).toBe(52)
  expect(rows.get('floor')!.content).toEqual([['table', 1]])
  expect(rows.get('o1')).toEqual({ neighbours: [], content: [], bought: [] })
})

test('bought together is by order, by session, or by shopper and instant', async ({ db }) => {
  const buy = (refIds: readonly string[], changes: Partial<NewInteraction>) =>
    visit(refIds, { eventType: 'purchase', ...changes })
  const at = { occurredAtMs: NOW_MS - 60 * MINUTE_MS }
  await record(db, [
    ...buy(['lamp', 'desk'], { accountId: 'a', metadata: { order_id: 'o1' } }),
    ...buy(['chair'], { accountId: 'a', metadata: { order_id: 'o2' } }),
    ...buy(['lamp', 'desk', 'lamp'], { accountId: 'b', sessionId: 's' }),
    ...buy(['lamp', 'chair'], { accountId: 'c', ...at }),
    ...buy(['desk', 'chair'], { accountId: 'd' }),
    ...visit(['lamp', 'chair'], { accountId: 'e', sessionId: 's' }),
  ])
  const rows = await rowsById(db, await made(db))
  expect(rows.get('lamp')!.bought).toEqual([
    ['desk', 2],
    ['chair', 1],
  ])
  expect(rows.get('desk')!.bought).toEqual([['lamp', 2]])
  const { rows: stored } = await sql`select product_id, baskets from similarity_product order by 1`.execute(db)
  expect(stored).toEqual([
    { product_id: 'chair', baskets: 3 },
    { product_id: 'desk', baskets: 3 },
    { product_id: 'lamp', baskets: 3 },
  ])
})

test('beyond the bounds the newest events and their products count', async ({ db }) => {
  await record(db, visit(['old', 'lamp', 'desk', 'chair']))
  const newest = await rowsById(db, await made(db, { ...VERSION_DEFAULTS, eventsMax: 3 }))
  expect([...newest.keys()]).toEqual(['chair', 'desk', 'lamp'])
  const fewer = await rowsById(db, await made(db, { ...VERSION_DEFAULTS, productsMax: 2 }))
  expect([...fewer.keys()]).toEqual(['chair', 'desk'])
})

test('an empty shop has an empty version', async ({ db }) => {
  await made(db)
  expect(await similarityVersions(db)).toMatchObject([{ products: 0, events: 0, pairs: 0, content_weight: 0 }])
})

test('a run that is cancelled makes no version: while it reads, and while it counts', async ({ db }) => {
  await record(db, visit(['lamp', 'desk']))
  for (const stage of ['takeEvents', 'count'] as const) {
    const runId = await beginRunOf(db)
    const isStopped = Promise.withResolvers<void>()
    const startHeld = (settings: VersionSettings): VersionJob => {
      const job = startJob(settings)
      const held = async (options: unknown) => {
        await cancelSimilarityRun(db, runId, { actor: 'bob' })
        // The run learns of it by itself.
        await aborted(stage === 'count' ? (options as { signal: AbortSignal }).signal : undefined)
        return job[stage](options as never) as never
      }
      const stop = async () => {
        await job.stop()
        isStopped.resolve()
      }
      return { ...job, [stage]: held, stop }
    }
    expect(await makeVersion(db, runId, VERSION_DEFAULTS, startHeld)).toBeUndefined()
    await isStopped.promise
  }
  expect(await similarityVersions(db)).toEqual([])
})

/** Resolves when the signal is aborted. */
async function aborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined || signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
}

test('a run writes how far it is', async ({ db }) => {
  await record(db, visit(['lamp', 'desk']))
  const runId = await beginRunOf(db)
  const seen = new Set<unknown>()
  const startWatched = (settings: VersionSettings): VersionJob => {
    const job = startJob(settings)
    const chunk: VersionJob['chunk'] = async (from, to) => {
      // The last progress of counting is written while the rows wait.
      for (;;) {
        const { rows } = await sql<{ stage: string; done: number; total: number }>`
          select stage, done, total from similarity_run where run_id = ${runId}::uuid`.execute(db)
        seen.add(rows[0]!.stage)
        if (rows[0]!.stage === 'writing') break
      }
      return job.chunk(from, to)
    }
    return { ...job, chunk }
  }
  await makeVersion(db, runId, VERSION_DEFAULTS, startWatched)
  expect([...seen].at(-1)).toBe('writing')
  const { rows } = await sql`select done, total from similarity_run`.execute(db)
  expect(rows).toEqual([{ done: 768, total: 768 }])
})
