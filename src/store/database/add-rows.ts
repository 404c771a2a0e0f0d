import { sql } from 'kysely'

type Sql = ReturnType<typeof sql>

/** A table whose rows are sums, each found by its key. */
export interface Sums {
  table: string
  key: readonly string[]
  /** The other columns, and what each is once a row is added to the one that is there. */
  columns: Readonly<Record<string, Combine>>
}

type Combine = (stored: Sql, added: Sql) => Sql

export const plus: Combine = (stored, added) => sql`${stored} + ${added}`
export const latest: Combine = (stored, added) => sql`greatest(${stored}, ${added})`

/**
 * Adds rows to sums, in their order: the values of the key, then those of the columns. Each key comes once.
 *
 * `merge` looks for a row once, and writes it once. `insert … on conflict`, which is for rows that another transaction may add at the same time, confirms
 * each row that it inserts and locks each one that it updates, with a record of its own in the write-ahead log. `merge` fails with 23505 when another
 * transaction has added a row since the statement began. It needs `NESTED_LOOPS`.
 */
export function addRows(sums: Sums, rows: Sql, { isAlone }: { isAlone: boolean }): Sql {
  const { table, key, columns } = sums
  const names = [...key, ...Object.keys(columns)]
  if (!isAlone) {
    return sql`
      insert into ${sql.table(table)} as stored (${listOf(names)}) ${rows}
      ${onConflict(sums, 'stored')}`
  }
  const isSame = key.map((name) => sql`stored.${sql.ref(name)} = added.${sql.ref(name)}`)
  return sql`
      merge into ${sql.table(table)} as stored using (${rows}) as added (${listOf(names)}) on ${sql.join(isSame, sql` and `)}
      when matched then update set ${changes(columns, 'stored', 'added')}
      when not matched then insert (${listOf(names)}) values (${sql.join(names.map((name) => sql.ref(`added.${name}`)))})`
}

/** What an insert into the table, under an alias, does with a row that is there. */
export function onConflict({ key, columns }: Sums, alias: string): Sql {
  return sql`on conflict (${listOf(key)}) do update set ${changes(columns, alias, 'excluded')}`
}

/**
 * For the statements of a transaction: rows are looked for by their key. Without it the planner reads a whole table and makes a hash of it as soon as
 * that seems to cost less than thousands of probes.
 */
export const NESTED_LOOPS = sql`set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`

function changes(columns: Sums['columns'], stored: string, added: string): Sql {
  const each = Object.entries(columns).map(
    ([name, combine]) => sql`${sql.ref(name)} = ${combine(sql.ref(`${stored}.${name}`), sql.ref(`${added}.${name}`))}`,
  )
  return sql.join(each)
}

function listOf(names: readonly string[]): Sql {
  return sql.join(names.map((name) => sql.ref(name)))
}
