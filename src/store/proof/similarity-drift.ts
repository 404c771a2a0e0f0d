import { sql } from 'kysely'
import type { Drift, SimilarityProof } from '../../contract/verify.ts'
import type { Queryable } from '../database/connection.ts'
import { rowsOf, type SimilarityRow } from '../similarity/rows.ts'
import { catalogHash } from '../similarity/version-write.ts'
import { type Aggregate, type Finding, found, joined } from './drift.ts'
import { isNear, versionDrift } from './similarity-version.ts'
import { CONTENT_MAX, expectedContent, type ExpectedLike } from './similarity-content.ts'
import {
  type Expected,
  type ExpectedBasket,
  expectedBaskets,
  type ExpectedPair,
  expectedPairs,
  type ProvedVersion,
} from './similarity-log.ts'

/** Proved by `similarityDrift`, row by row of a sample. */
export const SIMILARITY_ROW: Aggregate = { table: 'similarity_row', key: ['version', 'product_no'] }
export const SIMILARITY_PRODUCT: Aggregate = { table: 'similarity_product', key: ['version', 'product_no'] }

/** Rows with events, and further ones, that are computed again. */
const SAMPLED_WITH_EVENTS = 30
const SAMPLED = 40

interface StoredVersion extends ProvedVersion {
  products: number
  /** Null when the log still has what the version was made from. */
  why: string | null
  hasOldBaskets: boolean
  isCatalogRight: boolean
  contentWeight: number
}

/**
 * Computes a sample of the rows of the version in force again from the log, by statements that are slow and obvious, and compares each cell
 * of them. The sample depends on the version alone. The ids, categories and brands of all its products are proved by their hash,
 * and the weight of the content by the best similarities of all rows.
 */
export async function similarityDrift(tx: Queryable): Promise<{ finding: Finding; proof: SimilarityProof | undefined }> {
  const version = await versionToProve(tx)
  if (version === undefined) return { finding: found(0, []), proof: undefined }
  const number = Number(version.version)
  const whole = await versionDrift(tx, version)
  if (version.why !== null)
    return { finding: whole, proof: { version: number, rows: 0, products: version.products, skipped: version.why } }
  const sample = await sampleOf(tx, version.version)
  const pairs = await expectedPairs(tx, version, sample)
  const baskets = version.hasOldBaskets ? undefined : await expectedBaskets(tx, version, sample)
  const lists: ExpectedLists = {
    pairs: Map.groupBy(pairs.others, ({ productNo }) => productNo),
    baskets: baskets && Map.groupBy(baskets.others, ({ productNo }) => productNo),
    content: Map.groupBy(await expectedContent(tx, version.version, sample), ({ productNo }) => productNo),
    back: await expectedBack(tx, version, sample),
  }
  const counts = { events: pairs.counts, ...(baskets && { baskets: baskets.counts }) }
  const finding = joined([await rowDrift(tx, version, sample, lists), await productDrift(tx, version, sample, counts), whole])
  return { finding, proof: { version: number, rows: sample.length, products: version.products } }
}

type ByProduct<Other> = ReadonlyMap<number, readonly Other[]>

interface ExpectedLists {
  pairs: ByProduct<ExpectedPair>
  /** Undefined when an erasure took orders apart since. */
  baskets: ByProduct<ExpectedBasket> | undefined
  content: ByProduct<ExpectedLike>
  back: ReadonlyMap<string, Entry>
}

/** The version in force, and whether the log still has what it was made from. An erasure renames shoppers, and takes orders apart. */
async function versionToProve(tx: Queryable): Promise<StoredVersion | undefined> {
  const { rows } = await sql<StoredVersion>`
    select v.version, v.event_types as "eventTypes", v.settings, v.products, v.content_weight as "contentWeight",
      case when l.horizon > v.horizon then 'a part of the log that it was made from was dropped'
        when (select count(*) from shopper_redirect where merged_at <= v.merges_to) <> v.merges
          then 'sessions were merged while it was made'
        when exists (select from erasure_run where requested_at <= v.read_at and coalesce(finished_at, 'infinity') >= v.read_at)
          then 'a person was being erased while it was made' end as why,
      exists (select from erasure_run where coalesce(finished_at, 'infinity') >= v.read_at) as "hasOldBaskets",
      v.catalog_sha256 is not distinct from (${catalogHash(sql`v.version`)}) as "isCatalogRight"
    from similarity_current c join similarity_version v on v.version = c.version cross join log_horizon l`.execute(tx)
  return rows[0]
}

/** Numbers of products in an order that looks random and is the same each time. */
async function sampleOf(tx: Queryable, version: string): Promise<number[]> {
  const { rows } = await sql<{ productNo: number }>`
    with shuffled as (
      select product_no, events, md5(version || ' ' || product_no) as place from similarity_product where version = ${version}::bigint
    )
    (select product_no as "productNo" from shuffled where events > 0 order by place limit ${SAMPLED_WITH_EVENTS})
    union (select product_no from shuffled order by place limit ${SAMPLED - SAMPLED_WITH_EVENTS})
    order by 1`.execute(tx)
  return rows.map(({ productNo }) => productNo)
}

/** Lists of a row that are compared, and those of its baskets. */
const LISTS = 7
const BASKET_LISTS = 2

async function rowDrift(
  tx: Queryable,
  version: StoredVersion,
  sample: readonly number[],
  lists: ExpectedLists,
): Promise<Finding> {
  const rows = new Map((await rowsOf(tx, Number(version.version), sample)).map((row) => [row.productNo, row]))
  const drift = sample.flatMap((productNo) => {
    const key = { version: version.version, product_no: String(productNo) }
    const row = rows.get(productNo)
    if (row === undefined) return [{ aggregate: 'similarity_row', key, column: '*', stored: null, expected: 'a row' }]
    return cellsThatDiffer(version, row, lists).map((cell) => ({ aggregate: 'similarity_row', key, ...cell }))
  })
  return found(sample.length * (lists.baskets === undefined ? LISTS : LISTS + BASKET_LISTS), drift)
}

function cellsThatDiffer(
  { settings }: StoredVersion,
  row: SimilarityRow,
  { pairs, content, baskets, back }: ExpectedLists,
): Cell[] {
  const of = <Other>(lists: ByProduct<Other>) => lists.get(row.productNo) ?? []
  const near = of(pairs).map(({ other, score, pairs: count }) => ({ other, value: Math.fround(score), count }))
  const like = of(content).map(({ other, cosine }) => ({ other, value: Math.fround(cosine), count: 0 }))
  const together = baskets && of(baskets).map(({ other, baskets: value }) => ({ other, value, count: 0 }))
  return [
    ...listDrift(['neighbour', 'score', 'count'], nearOf(row), near, settings.neighboursMax),
    ...listDrift(['content', 'cosine', 'cosine'], likeOf(row), like, CONTENT_MAX),
    ...(together ? listDrift(['bought', 'bought_count', 'bought_count'], boughtOf(row), together, settings.boughtMax) : []),
    ...backDrift(row, back),
    ...lengthDrift(row),
  ]
}

/** Another product in a list of a row. */
interface Entry {
  other: number
  value: number
  count: number
}

const nearOf = ({ neighbours, scores, counts }: SimilarityRow): Entry[] =>
  Array.from(neighbours, (other, at) => ({ other, value: scores[at] ?? NaN, count: counts[at] ?? NaN }))
const likeOf = ({ contentNeighbours, cosines }: SimilarityRow): Entry[] =>
  Array.from(contentNeighbours, (other, at) => ({ other, value: cosines[at] ?? NaN, count: 0 }))
const boughtOf = ({ bought, boughtCounts }: SimilarityRow): Entry[] =>
  Array.from(bought, (other, at) => ({ other, value: boughtCounts[at] ?? NaN, count: 0 }))

type Cell = Pick<Drift, 'column' | 'stored' | 'expected'>

/** Compares a stored list with the best of what is expected. Products with nearly equal values may have changed places. */
function listDrift(columns: readonly [string, string, string], stored: readonly Entry[], all: Entry[], max: number): Cell[] {
  const best = all.toSorted((one, other) => other.value - one.value || one.other - other.other).slice(0, max)
  const expected = new Map(all.map((entry) => [entry.other, entry]))
  const drift = new Map<string, Cell>()
  const note = (column: string, place: number, one: number | string | undefined, other: number | string | undefined) => {
    const text = (value: number | string | undefined) => (value === undefined ? null : `${value} at place ${place + 1}`)
    if (!drift.has(column)) drift.set(column, { column, stored: text(one), expected: text(other) })
  }
  for (let place = 0; place < Math.max(stored.length, best.length); place++) {
    const [has, should] = [stored[place], best[place]]
    const known = has && expected.get(has.other)
    if (has === undefined || should === undefined || known === undefined || !isNear(known.value, should.value)) {
      note(columns[0], place, has?.other, should?.other)
    } else {
      if (!isNear(has.value, known.value)) note(columns[1], place, has.value, known.value)
      if (has.count !== known.count) note(columns[2], place, has.count, known.count)
    }
  }
  if (new Set(stored.map(({ other }) => other)).size < stored.length) note(columns[0], 0, 'a product twice', 'each once')
  return [...drift.values()]
}

/** What the rows of neighbours have of sampled products, as `product other score count`. */
async function expectedBack(tx: Queryable, { version }: StoredVersion, sample: readonly number[]): Promise<Map<string, Entry>> {
  const { rows } = await sql<Entry & { productNo: number }>`
    select r.product_no as "productNo", n.other, (o.score)[array_position(o.neighbour, r.product_no)]::float8 as value,
      (o.count)[array_position(o.neighbour, r.product_no)] as count
    from similarity_row r cross join lateral unnest(r.neighbour) n(other)
      join similarity_row o on o.version = r.version and o.product_no = n.other
    where r.version = ${version}::bigint and r.product_no = any(${sample}::int[])
      and array_position(o.neighbour, r.product_no) is not null`.execute(tx)
  return new Map(rows.map((row) => [`${row.productNo} ${row.other}`, row]))
}

function backDrift({ productNo, neighbours, backScores, backCounts }: SimilarityRow, back: ReadonlyMap<string, Entry>): Cell[] {
  const cells: Cell[] = []
  const add = (column: string, place: number, stored: number | undefined, expected: number) => {
    if (stored === undefined || stored === expected || cells.some((cell) => cell.column === column)) return
    cells.push({ column, stored: `${String(stored)} at place ${place + 1}`, expected: `${expected} at place ${place + 1}` })
  }
  for (let place = 0; place < neighbours.length; place++) {
    const { value = 0, count = 0 } = back.get(`${productNo} ${neighbours[place]}`) ?? {}
    add('back_score', place, backScores[place], Math.fround(value))
    add('back_count', place, backCounts[place], count)
  }
  return cells
}

/** Each list of values has one for each product of its list. */
function lengthDrift({ neighbours, contentNeighbours, bought, ...values }: SimilarityRow): Cell[] {
  const lengths: [column: string, length: number, expected: number][] = [
    ['score', values.scores.length, neighbours.length],
    ['count', values.counts.length, neighbours.length],
    ['back_score', values.backScores.length, neighbours.length],
    ['back_count', values.backCounts.length, neighbours.length],
    ['cosine', values.cosines.length, contentNeighbours.length],
    ['bought_count', values.boughtCounts.length, bought.length],
  ]
  return lengths
    .filter(([, length, expected]) => length !== expected)
    .map(([column, length, expected]) => ({ column, stored: `${length} values`, expected: `${expected} values` }))
}

async function productDrift(
  tx: Queryable,
  { version }: StoredVersion,
  sample: readonly number[],
  counts: Readonly<Partial<Record<'events' | 'baskets', Expected<unknown>['counts']>>>,
): Promise<Finding> {
  const { rows } = await sql<{ productNo: number; events: number; baskets: number }>`
    select product_no as "productNo", events, baskets from similarity_product
    where version = ${version}::bigint and product_no = any(${sample}::int[]) order by 1`.execute(tx)
  const drift = rows.flatMap(({ productNo, ...stored }) =>
    (['events', 'baskets'] as const).flatMap((column) => {
      const expected = counts[column] && (counts[column].get(productNo) ?? 0)
      if (expected === undefined || expected === stored[column]) return []
      const key = { version, product_no: String(productNo) }
      return { aggregate: 'similarity_product', key, column, stored: String(stored[column]), expected: String(expected) }
    }),
  )
  return found(rows.length * Object.keys(counts).length, drift)
}
