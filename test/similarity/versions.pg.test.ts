import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../src/store/database/connection.ts'
import { NotRunningError } from '../../src/store/runs/run-machine.ts'
import { rowsOf, type SimilarityRow, versionInForce } from '../../src/store/similarity/rows.ts'
import { beginSimilarityRun, cancelSimilarityRun, completeSimilarityRun } from '../../src/store/similarity/run-machine.ts'
import { dropOldVersions, promoteVersion, similarityVersions } from '../../src/store/similarity/version.ts'
import { writeChunk } from '../../src/store/similarity/version-write.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { beginRunOf, chunkOf, filledVersion, listsOf, madeVersion, productIdsOf } from '../harness/items/similarity.ts'

test.beforeEach(({ db }) => clear(db))

const BY = { actor: 'ada' }

test('rows and products are read as they were written, to the bit', async ({ db }) => {
  const { version } = await madeVersion(db, 3)
  const ids = ['a', 'z', 'é'].map((id) => `${id}'"\\,{}`)
  await sql`delete from similarity_product`.execute(db)
  await sql`delete from similarity_row`.execute(db)
  await sql`update similarity_version set state = 'building'`.execute(db)
  await writeChunk(db, version, {
    ...chunkOf(ids),
    ...{
      categories: ['c', null, 'null'],
      brands: [null, '', 'b'],
      events: Int32Array.of(7, 0, 2),
      baskets: Int32Array.of(1, 0, 0),
    },
    neighbours: {
      ...listsOf([[2, 1], [], [0]]),
      ...{ scores: Float32Array.of(0.1, 1e-30, 3), counts: Int32Array.of(5, 1, 70_000) },
      ...{ backScores: Float32Array.of(3, 0, 0.1), backCounts: Int32Array.of(70_000, 0, 5) },
    },
    content: { ...listsOf([[], [], [1]]), cosines: Float32Array.of(1 / 3) },
    bought: { ...listsOf([[], [0, 2], []]), counts: Int32Array.of(9, 8) },
  })
  expect(await productIdsOf(db, version, 3)).toEqual(ids)
  const { rows } = await sql`select product_no, events, category, brand from similarity_product order by 1`.execute(db)
  expect(rows).toEqual([
    { product_no: 0, events: 7, category: 'c', brand: null },
    { product_no: 1, events: 0, category: null, brand: '' },
    { product_no: 2, events: 2, category: 'null', brand: 'b' },
  ])
  const read = (await rowsOf(db, version, [2, 0, 1, 17])).toSorted((one, other) => one.productNo - other.productNo)
  expect(read).toEqual([
    rowOf(0, { neighbours: [2, 1], scores: [0.1, 1e-30], counts: [5, 1], backScores: [3, 0], backCounts: [70_000, 0] }),
    rowOf(1, { bought: [0, 2], boughtCounts: [9, 8] }),
    rowOf(2, {
      ...{ neighbours: [0], scores: [3], counts: [70_000], backScores: [0.1], backCounts: [5] },
      ...{ contentNeighbours: [1], cosines: [1 / 3] },
    }),
  ])
})

type Lists = Record<Exclude<keyof SimilarityRow, 'productNo'>, number[]>

function rowOf(productNo: number, lists: Partial<Lists>): SimilarityRow {
  const ints = (name: keyof Lists) => Int32Array.from(lists[name] ?? [])
  const floats = (name: keyof Lists) => Float32Array.from(lists[name] ?? [])
  return {
    productNo,
    ...{ neighbours: ints('neighbours'), scores: floats('scores'), counts: Uint32Array.from(lists.counts ?? []) },
    ...{ backScores: floats('backScores'), backCounts: Uint32Array.from(lists.backCounts ?? []) },
    ...{ contentNeighbours: ints('contentNeighbours'), cosines: floats('cosines') },
    ...{ bought: ints('bought'), boughtCounts: ints('boughtCounts') },
  }
}

test('completing a run puts its version in force; before that nothing reads it', async ({ db }) => {
  expect(await versionInForce(db)).toBeUndefined()
  expect(await similarityVersions(db)).toEqual([])
  const { runId, version } = await filledVersion(db, 2)
  expect(await versionInForce(db)).toBeUndefined()
  await completeSimilarityRun(db, runId, version)
  expect(await versionInForce(db)).toMatchObject({ version, products: 2, contentWeight: 0.5 * version })
  expect(await similarityVersions(db)).toMatchObject([{ version, is_in_force: true, run_id: runId, products: 2 }])
})

test('a run that was cancelled puts nothing in force', async ({ db }) => {
  const { runId, version } = await filledVersion(db, 2)
  await cancelSimilarityRun(db, runId, BY)
  expect(await completeSimilarityRun(db, runId, version)).toBe('cancelled')
  expect(await versionInForce(db)).toBeUndefined()
})

test('of overlapping attempts the first puts its version in force, and the other version goes', async ({ db }) => {
  const runId = await beginRunOf(db)
  const first = await filledVersion(db, 2, runId)
  const second = await filledVersion(db, 2, runId)
  await completeSimilarityRun(db, runId, second.version)
  expect(await completeSimilarityRun(db, runId, first.version)).toBe('completed')
  expect(await versionInForce(db)).toMatchObject({ version: second.version })
  await dropAll(db)
  expect(await storedVersions(db)).toEqual([second.version])
})

test('rolling back and forward is one call each, audited once', async ({ db }) => {
  const one = await madeVersion(db, 1)
  const two = await madeVersion(db, 2)
  expect(await versionInForce(db)).toMatchObject({ version: two.version })
  const back = { version: one.version, actor: 'ada', requested_by: 'shop' }
  expect(await promoteVersion(db, back)).toMatchObject({ version: one.version, is_in_force: true })
  expect(await promoteVersion(db, back)).toMatchObject({ version: one.version, is_in_force: true })
  expect(await similarityVersions(db)).toMatchObject([{ version: one.version }, { version: two.version, is_in_force: false }])
  expect(await promoteVersion(db, { ...BY, version: two.version })).toMatchObject({ version: two.version })
  await expect(promoteVersion(db, { ...BY, version: two.version + 1 })).rejects.toThrow('is none of the last two')
  const { rows } = await sql<{ entry: string; metadata: unknown }>`
    select actor || ' ' || action || ' ' || resource_id as entry, metadata from audit_entry
    where action = 'similarity.promote' and resource_id in (${String(one.version)}, ${String(two.version)}) order by audit_id`.execute(
    db,
  )
  expect(rows).toEqual([
    { entry: `ada similarity.promote ${one.version}`, metadata: { before: two.version, requested_by: 'shop' } },
    { entry: `ada similarity.promote ${two.version}`, metadata: { before: one.version } },
  ])
})

test('the last two versions stay, and older ones are deleted with their rows', async ({ db }) => {
  const made = []
  for (let n = 0; n < 4; n++) made.push((await madeVersion(db, 3)).version)
  await dropAll(db)
  expect(await storedVersions(db)).toEqual(made.slice(-2))
  for (const table of ['similarity_row', 'similarity_product']) {
    const { rows } = await sql<{ version: string }>`select distinct version from ${sql.table(table)} order by 1`.execute(db)
    expect(rows.map(({ version }) => Number(version))).toEqual(made.slice(-2))
  }
  // A version that is in force again after a roll back stays, and the one that it replaced with it.
  await promoteVersion(db, { ...BY, version: made[2]! })
  await dropAll(db)
  expect(await storedVersions(db)).toEqual(made.slice(-2))
})

test('the version of an open run stays, and an attempt whose version was deleted cannot write on', async ({ db }) => {
  const open = await filledVersion(db, 2)
  await dropAll(db)
  expect(await storedVersions(db)).toEqual([open.version])
  await cancelSimilarityRun(db, open.runId, BY)
  await dropAll(db)
  expect(await storedVersions(db)).toEqual([])
  await expect(writeChunk(db, open.version, { ...chunkOf(['q']), first: 2 })).rejects.toThrow(NotRunningError)
})

test('a version of a run that nothing works on goes when the run ends', async ({ db }) => {
  const runId = await beginRunOf(db)
  await filledVersion(db, 2, runId)
  const again = await filledVersion(db, 2, runId)
  expect(await beginSimilarityRun(db, runId)).toBe(true)
  await completeSimilarityRun(db, runId, again.version)
  await dropAll(db)
  expect(await storedVersions(db)).toEqual([again.version])
  expect(await beginSimilarityRun(db, randomUUID())).toBe(false)
})

async function dropAll(db: Database): Promise<void> {
  while (await dropOldVersions(db));
}

async function storedVersions(db: Database): Promise<number[]> {
  const { rows } = await sql<{ version: string }>`select version from similarity_version order by 1`.execute(db)
  return rows.map(({ version }) => Number(version))
}
