import { sql } from 'kysely'
import { expect } from 'vitest'
import { createRowCache } from '../../src/store/similarity/row-cache.ts'
import { createServedVersions, type ServedVersion } from '../../src/store/similarity/served-versions.ts'
import { bytesOfRow, rowsOf } from '../../src/store/similarity/rows.ts'
import { dropOldVersions, promoteVersion } from '../../src/store/similarity/version.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { madeVersion } from '../harness/items/similarity.ts'

test.beforeEach(({ db }) => clear(db))

const PRODUCTS = 40
const MEBIBYTE = 1024 * 1024

/** What every row and number of an answer says its version is. */
async function versionsSeen(version: ServedVersion | undefined): Promise<Set<number>> {
  const seen = new Set([version!.version])
  for (const productNos of [
    [0, 1, 2],
    [3, 17, 5],
    [39, 0],
  ]) {
    const { row } = await version!.rows(productNos)
    for (const productNo of productNos) seen.add(row(productNo)!.counts[0]!)
  }
  return seen
}

test('a reader sees one version, whatever is swapped, rolled back and deleted in the meantime', async ({ db }) => {
  const first = await madeVersion(db, PRODUCTS)
  // Nothing fits, so that every row is read; and every request asks which version is in force.
  const served = createServedVersions({ db, bytesMax: 0, pollMs: 0 })
  const cached = createServedVersions({ db, bytesMax: MEBIBYTE, pollMs: 5 })
  let isOver = false
  const seen = new Set<number>()
  const read = async (from: typeof served) => {
    while (!isOver) {
      const one = await from.withVersion(versionsSeen)
      expect(one.size).toBe(1)
      seen.add([...one][0]!)
    }
  }
  const readers = [served, served, cached, cached].map(read)
  let { version } = first
  for (let n = 0; n < 8; n++) {
    const before = version
    version = (await madeVersion(db, PRODUCTS)).version
    if (n % 3 === 1) {
      await promoteVersion(db, { version: before, actor: 'ada' })
      version = before
    }
    while (await dropOldVersions(db));
  }
  isOver = true
  await Promise.all(readers)
  expect(seen.size).toBeGreaterThan(2)
  expect([...(await served.withVersion(versionsSeen))]).toEqual([version])
})

test('before the first version there is none, and the first one is seen in time', async ({ db }) => {
  const served = createServedVersions({ db, bytesMax: MEBIBYTE, pollMs: 0 })
  expect(await served.withVersion(async (version) => version)).toBeUndefined()
  const { version } = await madeVersion(db, PRODUCTS)
  const answer = await served.withVersion(async (one) => one)
  expect(answer).toMatchObject({ version, products: PRODUCTS, contentWeight: 0.5 * version })
  expect([answer!.ids[7], answer!.numberOf('p000007'), answer!.numberOf('unknown')]).toEqual(['p000007', 7, undefined])
})

test('callers share the question which version is in force, and kept rows cost no statement', async ({ db }) => {
  const { version } = await madeVersion(db, PRODUCTS)
  let statements = 0
  const counting = db.withPlugin({
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      statements++
      return result
    },
  })
  const served = createServedVersions({ db: counting, bytesMax: MEBIBYTE, pollMs: 60_000 })
  const ask = () => served.withVersion(async (one) => (await one!.rows([1, 2])).row(2)!.counts[0])
  expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(Array.from({ length: 20 }, () => version))
  // Which version, its ids, and the rows at most once for each caller.
  expect(statements).toBeLessThanOrEqual(22)
  statements = 0
  expect(await ask()).toBe(version)
  expect(statements).toBe(0)
})

test('the first caller after a quiet time is answered with the version in force', async ({ db }) => {
  await madeVersion(db, PRODUCTS)
  // Every time is a quiet one.
  const served = createServedVersions({ db, bytesMax: MEBIBYTE, pollMs: 0 })
  const ask = () => served.withVersion(async (one) => one!.version)
  const before = await ask()
  const { version } = await madeVersion(db, PRODUCTS)
  expect(await ask()).toBe(version)
  await promoteVersion(db, { version: before, actor: 'ada' })
  expect(await ask()).toBe(before)
})

test('while the database does not answer, the last known version is served from what is kept', async ({ db }) => {
  const { version } = await madeVersion(db, PRODUCTS)
  let isAway = false
  const broken = db.withPlugin({
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      if (isAway) throw new Error('away')
      return result
    },
  })
  const served = createServedVersions({ db: broken, bytesMax: MEBIBYTE, pollMs: 0 })
  const ask = () => served.withVersion(async (one) => (await one!.rows([3])).row(3)!.counts[0])
  expect(await ask()).toBe(version)
  isAway = true
  expect(await ask()).toBe(version)
  const unknown = createServedVersions({ db: broken, bytesMax: MEBIBYTE, pollMs: 0 })
  await expect(unknown.withVersion(async () => 1)).rejects.toThrow('away')
})

test('a version that is gone without another is an error, and no empty answer', async ({ db }) => {
  await madeVersion(db, PRODUCTS)
  const served = createServedVersions({ db, bytesMax: 0, pollMs: 60_000 })
  await served.withVersion(async () => undefined)
  await sql`delete from similarity_row`.execute(db)
  await expect(served.withVersion((one) => one!.rows([1]))).rejects.toThrow('was deleted')
})

test('rows stay within their bytes, and the ones used last stay', async ({ db }) => {
  const { version } = await madeVersion(db, PRODUCTS)
  const rows = await rowsOf(db, version, [0, 1, 2, 3])
  const [a, b, c, d] = rows.toSorted((one, other) => one.productNo - other.productNo)
  const bytes = bytesOfRow(a!)
  const cache = createRowCache(PRODUCTS, 3 * bytes, bytesOfRow)
  for (const row of [a!, b!, c!]) cache.add(row.productNo, row)
  expect(cache.get(0)).toBe(a)
  cache.add(3, d!)
  expect(cache.get(1)).toBeUndefined()
  expect([0, 2, 3].map(cache.get)).toEqual([a, c, d])
  expect(cache.bytes()).toBe(3 * bytes)
})
