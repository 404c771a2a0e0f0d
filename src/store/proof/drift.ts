import { sql } from 'kysely'
import type { Drift } from '../../contract/verify.ts'
import type { Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { onlyRow } from '../database/rows.ts'

/** How much of the log is left, and whether days were rolled up. */
export interface LogState {
  horizon: Date
  /** Whether events before the horizon were counted and are gone from the log. */
  isCut: boolean
  hasDays: boolean
}

/** What a part of the proof found. */
export interface Finding {
  /** How many cells it compared. */
  cells: number
  /** How many of them differ. */
  driftCount: number
  /** Those that differ, at most `DRIFT_MAX` of a comparison. */
  drift: Drift[]
}

/** A table that follows from what was recorded. */
export interface Aggregate {
  table: string
  /** The columns that a row of it is found by. */
  key: readonly string[]
  /** The columns that are proved, one by one, by comparing the table with the log. Undefined when a program computes what is expected. */
  cells?: readonly string[]
  /** Compares it with the log. Undefined when the proof of another aggregate includes this one. */
  prove?: (tx: Queryable, log: LogState) => Promise<Finding>
}

/** Largest difference of a decayed sum, relative to Σ|weight|·decay, because floats are added in any order. */
const TOLERANCE = 1e-9
export const DRIFT_MAX = 1_000

interface Cell {
  column: string
  /** Whether the stored cell (s) differs from the expected one (e). */
  differs: ReturnType<typeof sql>
}

/** A cell that must be equal to the last digit. */
export function exact(column: string): Cell {
  return { column, differs: sql`s.${sql.ref(column)} is distinct from e.${sql.ref(column)}` }
}

/** A cell that may differ by rounding. NOT (… <= …), because a stored NaN is larger than everything. */
export function within(column: string, spread: ReturnType<typeof sql>): Cell {
  const difference = sql`abs(s.${sql.ref(column)} - e.${sql.ref(column)})`
  return { column, differs: sql`not ${difference} <= ${TOLERANCE}::float8 * ${spread}` }
}

export interface Comparison {
  table: string
  key: readonly string[]
  stored: ReturnType<typeof sql>
  expected: ReturnType<typeof sql>
  cells: Cell[]
}

/** An aggregate that one comparison proves. */
export function comparedAggregate(comparison: Comparison): Required<Aggregate> {
  const { table, key, cells } = comparison
  return { table, key, cells: cells.map(({ column }) => column), prove: (tx) => compare(tx, comparison) }
}

/** Compares each stored cell (s) with the expected one (e). Cells of a row that only one side has are one difference. */
export async function compare(tx: Queryable, comparison: Comparison): Promise<Finding> {
  const { key, stored, expected, cells } = comparison
  const keys = sql.join(key.map((column) => sql.ref(column)))
  // Citus executes a materialized part before it joins it with shards of another group. Elsewhere it would cost a copy of both sides.
  const isApart = await isDistributed(tx)
  const parts = isApart ? sql`with stored as materialized (${stored}), expected as materialized (${expected})` : sql``
  const [s, e] = isApart ? [sql`stored`, sql`expected`] : [sql`(${stored})`, sql`(${expected})`]
  const rows = sql`(select *, true as there from ${s} x) s full join (select *, true as there from ${e} x) e using (${keys})`
  const differing = sql.join(
    cells.map(({ differs }) => sql`case when ${differs} then 1 else 0 end`),
    sql` + `,
  )
  const counted = sql`${parts}
    select count(*) * ${sql.lit(cells.length)} as cells,
      coalesce(sum(case when s.there and e.there then ${differing} else 1 end), 0) as "driftCount" from ${rows}`
  return findingOf(tx, counted, sql`${parts} ${listing(comparison, rows)}`)
}

/** Counts, and lists what differs only if something does, because the list of a right table costs as much and is empty. */
export async function findingOf(tx: Queryable, counted: ReturnType<typeof sql>, list: ReturnType<typeof sql>): Promise<Finding> {
  const { cells, driftCount } = onlyRow(await sql<{ cells: string; driftCount: string }>`${counted}`.execute(tx))
  const { rows: drift } = driftCount === '0' ? { rows: [] } : await sql<Drift>`${list}`.execute(tx)
  return { cells: Number(cells), driftCount: Number(driftCount), drift }
}

/** What several parts found. */
export function joined(findings: readonly Finding[]): Finding {
  return {
    cells: findings.reduce((sum, { cells }) => sum + cells, 0),
    driftCount: findings.reduce((sum, { driftCount }) => sum + driftCount, 0),
    drift: findings.flatMap(({ drift }) => drift),
  }
}

/** What a program found by itself. */
export function found(cells: number, drift: Drift[]): Finding {
  return { cells, driftCount: drift.length, drift }
}

/** Each cell that differs, and each row that only one side has. */
function listing({ table, key, cells }: Comparison, rows: ReturnType<typeof sql>) {
  // By the rows' columns: a column named key would otherwise be that of the answer.
  const order = sql.join(key.map((column) => sql`coalesce(s.${sql.ref(column)}, e.${sql.ref(column)})`))
  const keyOf = sql.join(key.flatMap((column) => [sql.lit(column), sql`${sql.ref(column)}::text`]))
  const compared = cells.map(({ column, differs }) => {
    const cell = sql.ref(column)
    return sql`(${sql.lit(column)}, s.${cell}::text, e.${cell}::text, s.there and e.there and ${differs})`
  })
  return sql`
    select ${sql.lit(table)} as aggregate, json_build_object(${keyOf}) as key, cell.name as "column", cell.stored, cell.expected
    from ${rows} cross join lateral (values
      ('*', case when s.there then 'a row' end, case when e.there then 'a row' end, s.there is null or e.there is null),
      ${sql.join(compared)}) as cell (name, stored, expected, differs)
    where cell.differs order by ${order}, cell.name limit ${DRIFT_MAX}`
}
