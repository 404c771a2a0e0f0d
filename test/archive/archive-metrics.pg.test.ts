import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { archivedMetrics, archiveMetrics } from '../../services/archive/archive-metrics.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { type ArchiveStore, readSmall } from '../../src/external/archive-store.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import { createS3Archive } from '../../src/external/s3-archive.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { categoryMetrics, lowStockMetrics, sellerMetrics } from '../../src/store/metrics/metric-state.ts'
import { foldMetrics } from '../../src/store/metrics/fold-metrics.ts'
import { pgTest } from '../harness/fixtures.ts'
import { clearCatalog } from '../harness/items/product-metrics.ts'
import { product, upsert } from '../harness/items/products.ts'
import { noObjectServer, startObjectServer } from '../harness/servers/object-server.ts'

const NOON = Date.parse('2026-03-05T12:00:00.250Z')
const HOUR_MS = 3_600_000
const BUCKET = 'footfall-metrics'
const noServer = await noObjectServer()
if (noServer !== undefined) console.log(`tests of metrics in S3 are skipped: ${noServer}`)

const test = pgTest
  .extend('folder', { scope: 'file' }, async ({}, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'footfall-archive-'))
    onCleanup(() => rm(folder, { recursive: true, force: true }))
    return folder
  })
  .extend('s3', { scope: 'file' }, async ({}, { onCleanup }) => {
    const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
    for (const name of names) process.env[name] = 'test'
    const server = await startObjectServer()
    onCleanup(async () => {
      for (const name of names) delete process.env[name]
      await server.stop()
    })
    const client = new S3Client({ region: 'us-east-1', endpoint: server.url, forcePathStyle: true })
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    client.destroy()
    return () => createS3Archive({ bucket: BUCKET, prefix: `${randomUUID()}/`, region: 'us-east-1', endpoint: server.url })
  })

test.beforeEach(({ db }) => clearCatalog(db))

async function filesOf(store: ArchiveStore): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of archivedMetrics(store)) names.push(name)
  return names
}

const contentOf = async (store: ArchiveStore, name: string): Promise<Record<string, unknown>> =>
  JSON.parse(String(await readSmall(store, name, 1_000_000))) as Record<string, unknown>

/** Half of the changes are folded. */
async function fill(db: Database): Promise<void> {
  await upsert(db, [
    product({ product_id: 'a', seller_id: 'north', category: 'lämps "1"', price: 500, currency: 'EUR', quantity: 2 }),
    product({ product_id: 'b', seller_id: 'north', category: 'desks', price: 700, currency: 'USD', quantity: 20 }),
  ])
  await foldMetrics(db)
  await upsert(db, [product({ product_id: 'c', seller_id: 'south', status: 'deleted' })])
}

async function checkDay(db: Database, store: ArchiveStore): Promise<void> {
  expect(await archiveMetrics(db, store, NOON)).toBe(false)
  expect(await filesOf(store)).toEqual([])
  await fill(db)
  // Attempts of the same instant at the same time, then again, and later on the same day.
  const made = await Promise.all([1, 2, 3].map(() => archiveMetrics(db, store, NOON)))
  expect(made.filter(Boolean)).toHaveLength(1)
  const name = 'analytics/2026-03-05/2026-03-05T12-00-00.250Z.json'
  const content = await contentOf(store, name)
  for (const laterMs of [0, HOUR_MS, 11 * HOUR_MS]) expect(await archiveMetrics(db, store, NOON + laterMs)).toBe(false)
  expect(await filesOf(store)).toEqual([name])
  expect(await contentOf(store, name)).toEqual(content)
  expect(content).toEqual({
    version: 1,
    read_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    low_stock: await lowStockMetrics(db),
    categories: [await categoryMetrics(db, 'desks'), await categoryMetrics(db, 'lämps "1"')],
    sellers: [await sellerMetrics(db, 'north'), await sellerMetrics(db, 'south')],
  })
  expect(await archiveMetrics(db, store, NOON + DAY_MS / 2)).toBe(true)
  expect(await filesOf(store)).toEqual([name, 'analytics/2026-03-06/2026-03-06T00-00-00.250Z.json'])
  store.close()
}

test('a day gets one file with every metric, in a folder', async ({ db, folder }) => {
  await checkDay(db, createFolderArchive(join(folder, 'day')))
})

test.skipIf(noServer !== undefined)('a day gets one file with every metric, in S3', async ({ db, s3 }) => {
  await checkDay(db, s3())
})

test('an attempt that dies after its write leaves the file of the day, and one that dies before leaves none', async ({
  db,
  folder,
}) => {
  await fill(db)
  const store = createFolderArchive(join(folder, 'dying'))
  const dying = (when: 'before' | 'after'): ArchiveStore => ({
    ...store,
    create: async (name, bytes) => {
      if (when === 'after') await store.create(name, bytes)
      throw new Error('killed')
    },
  })
  await expect(archiveMetrics(db, dying('before'), NOON)).rejects.toThrow('killed')
  expect(await filesOf(store)).toEqual([])
  await expect(archiveMetrics(db, dying('after'), NOON + 1)).rejects.toThrow('killed')
  expect(await archiveMetrics(db, store, NOON + 2)).toBe(false)
  expect(await filesOf(store)).toEqual(['analytics/2026-03-05/2026-03-05T12-00-00.251Z.json'])
})

test('metrics of more keys than are read at a time are all in the file, once', async ({ db, folder }) => {
  const sellers = Array.from({ length: 1_201 }, (_, n) => `s${String(n).padStart(4, '0')}`)
  await upsert(
    db,
    sellers.map((seller) => product({ product_id: seller, seller_id: seller, category: 'all' })),
  )
  const store = createFolderArchive(join(folder, 'many'))
  expect(await archiveMetrics(db, store, NOON)).toBe(true)
  const content = await contentOf(store, (await filesOf(store))[0]!)
  expect((content['sellers'] as { seller_id: string }[]).map(({ seller_id: id }) => id)).toEqual(sellers)
  expect(content['categories']).toMatchObject([{ category: 'all', total_products: 1_201 }])
})
