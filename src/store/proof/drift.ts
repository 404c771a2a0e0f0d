import { sql } from 'kysely'
import type { Drift } from '../../contract/verify.ts'
import type { Queryable } from '../database/connection.ts'

/** How much of the log is left, and whether days were rolled up. */
export interface LogState {
  horizon: Date
  /** Whether events before the horizon were counted and are gone from the log. */
  isCut: boolean
  hasDays: boolean
}

/** A table that follows from what was recorded. */
export interface Aggregate {
  table: string
  /** The columns that a row of it is found by. */
  key: readonly string[]
  /** The columns that are proved, one by one, by comparing the table with the log. Undefined when a program computes what is expected. */
  cells?: readonly string[]
  /** Lists what differs from the log. Undefined when the proof of another aggregate includes this one. */
  drift?: (tx: Queryable, log: LogState) => Promise<Drift[]>
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
  return { table, key, cells: cells.map(({ column }) => column), drift: (tx) => compare(tx, comparison) }
}

/** Lists each stored cell (s) that differs from the expected one (e), and each row that only one side has. */
export async function compare(tx: Queryable, { table, key, stored, expected, cells }: Comparison): Promise<Drift[]> {
  const keys = sql.join(key.map((column) => sql.ref(column)))
  // By the rows' columns: a column named key would otherwise be that of the answer.
  const order = sql.join(key.map((column) => sql`coalesce(s.${sql.ref(column)}, e.${sql.ref(column)})`))
  const keyOf = sql.join(key.flatMap((column) => [sql.lit(column), sql`${sql.ref(column)}::text`]))
  const compared = cells.map(({ column, differs }) => {
    const cell = sql.ref(column)
    return sql`(${sql.lit(column)}, s.${cell}::text, e.${cell}::text, s.there and e.there and ${differs})`
  })
  const { rows } = await sql<Drift>`
    select ${sql.lit(table)} as aggregate, json_build_object(${keyOf}) as key, cell.name as "column", cell.stored, cell.expected
    from (select *, true as there from (${stored}) x) s
    full join (select *, true as there from (${expected}) x) e using (${keys})
    cross join lateral (values
      ('*', case when s.there then 'a row' end, case when e.there then 'a row' end, s.there is null or e.there is null),
      ${sql.join(compared)}) as cell (name, stored, expected, differs)
    where cell.differs order by ${order}, cell.name limit ${DRIFT_MAX}`.execute(tx)
  return rows
}
