import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { COUNTER_OF } from '../../src/cli/reference/event-types.ts'
import { connect } from '../../src/store/database/connection.ts'
import { migrate } from '../../src/store/database/migration.ts'
import { createDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { describeSchema } from '../harness/servers/schema.ts'

const SQL = join(import.meta.dirname, '..', '..', 'sql')

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
})
afterAll(() => database.drop())

test('sql/schema.snapshot is what PostgreSQL has after all of sql/', async () => {
  await expect(await describeSchema(database.db)).toMatchFileSnapshot(join(SQL, 'schema.snapshot'))
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

test('docs/event-types.md gives every event type the counter that the table event_type has', async () => {
  const { rows } = await sql<{ event_type: string; counter: string }>`select event_type, counter from event_type`.execute(
    database.db,
  )
  expect(COUNTER_OF).toEqual(Object.fromEntries(rows.map(({ event_type: type, counter }) => [type, counter])))
})
