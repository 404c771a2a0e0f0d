import { join } from 'node:path'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { COUNTER_OF } from '../../src/cli/reference/event-types.ts'
import { connect } from '../../src/store/database/connection.ts'
import { migrate } from '../../src/store/database/migration.ts'
import { describeSchema } from '../harness/servers/schema.ts'
import { pgTest as test } from '../harness/fixtures.ts'

const SQL = join(import.meta.dirname, '..', '..', 'sql')

test('sql/schema.snapshot is what PostgreSQL has after all of sql/', async ({ db }) => {
  await expect(await describeSchema(db)).toMatchFileSnapshot(join(SQL, 'schema.snapshot'))
})

test('an applied file that has changed is refused with its name', async ({ db }) => {
  await sql`update migration set sha256 = 'other' where name = '0001_interaction_log.sql'`.execute(db)
  await expect(migrate(db, SQL)).rejects.toThrow('sql/0001_interaction_log.sql was changed')
})

test('the read-only connection of the gateway cannot write', async ({ database }) => {
  const reader = connect({ url: database.url, name: 'test', readOnly: true })
  await expect(sql`delete from shopper_product`.execute(reader)).rejects.toThrow('read-only transaction')
  await reader.destroy()
})

test('docs/event-types.md gives every event type the counter that the table event_type has', async ({ db }) => {
  const { rows } = await sql<{ event_type: string; counter: string }>`select event_type, counter from event_type`.execute(db)
  expect(COUNTER_OF).toEqual(Object.fromEntries(rows.map(({ event_type: type, counter }) => [type, counter])))
})
