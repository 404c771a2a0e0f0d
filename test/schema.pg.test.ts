import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { connect } from '../src/store/database.ts'
import { migrate } from '../src/store/migration.ts'
import { createDatabase, type TestDatabase } from './harness/database.ts'
import { describeSchema } from './harness/schema.ts'

const SQL = join(import.meta.dirname, '..', 'sql')

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
})
afterAll(() => database.drop())

test('sql/schema.snapshot is what PostgreSQL has after all of sql/', async () => {
  await expect(await describeSchema(database.db)).toMatchFileSnapshot(join(SQL, 'schema.snapshot'))
})

test('installing twenty times at once applies every file once', async () => {
  const server = connect({ url: inject('postgresUrl'), name: 'test', connectionsMax: 1 })
  await sql`create database install_twenty`.execute(server)
  const url = new URL(inject('postgresUrl'))
  url.pathname = '/install_twenty'
  const db = connect({ url: url.href, name: 'test', connectionsMax: 20 })
  const applied = await Promise.all(Array.from({ length: 20 }, () => migrate(db, SQL)))
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1)
  await db.destroy()
  await sql`drop database install_twenty with (force)`.execute(server)
  await server.destroy()
})

test('a file that was changed after it was applied is refused by name', async () => {
  await sql`update migration set sha256 = 'other' where name = '0001_interaction_log.sql'`.execute(database.db)
  await expect(migrate(database.db, SQL)).rejects.toThrow('sql/0001_interaction_log.sql was changed')
})

test('the read-only connection of the gateway cannot write', async () => {
  const reader = connect({ url: database.url, name: 'test', readOnly: true })
  await expect(sql`delete from shopper_product`.execute(reader)).rejects.toThrow('read-only transaction')
  await reader.destroy()
})
