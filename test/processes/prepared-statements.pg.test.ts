import { sql } from 'kysely'
import { expect } from 'vitest'
import { connect } from '../../src/store/database/connection.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test('a connection prepares the statements that come often, and no others', async ({ database, onTestFinished }) => {
  const db = connect({ url: database.url, name: 'test', connectionsMax: 1 })
  onTestFinished(() => db.destroy())
  for (let times = 0; times < 60; times++) {
    const { rows } = await sql<{ n: number }>`with given as (select ${times}::int as n) select n + 1 as n from given`.execute(db)
    expect(rows).toEqual([{ n: times + 1 }])
    await sql`select ${sql.lit(times)} as never_the_same`.execute(db)
  }
  const { rows } = await sql<{ statement: string }>`select statement from pg_prepared_statements`.execute(db)
  expect(rows).toEqual([{ statement: 'with given as (select $1::int as n) select n + 1 as n from given' }])
})

test('a prepared statement goes on when its table gets a column, and after one error when a column gets another type', async ({
  database,
  db,
  onTestFinished,
}) => {
  await sql`create table often (a int)`.execute(db)
  onTestFinished(async () => void (await sql`drop table often`.execute(db)))
  const pool = connect({ url: database.url, name: 'test', connectionsMax: 1 })
  onTestFinished(() => pool.destroy())
  const add = (a: number) => sql`insert into often (a) values (${a}::int) returning a`.execute(pool)
  for (let times = 0; times < 60; times++) await add(times)
  await sql`alter table often add column b int`.execute(db)
  expect((await add(60)).rows).toEqual([{ a: 60 }])
  await sql`alter table often alter column a type bigint`.execute(db)
  await expect(add(61)).rejects.toThrow('cached plan must not change result type')
  expect((await add(61)).rows).toEqual([{ a: '61' }])
})
