import { sql } from 'kysely'
import { expect } from 'vitest'
import { migrateCommand } from '../../src/cli/commands/migrate.ts'
import { distribute, distributionSteps } from '../../src/store/access/distribute.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { DISTRIBUTED_FUNCTIONS, PLACEMENTS, REPLACED_TRIGGERS } from '../../src/store/database/distribution.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { distributeOnStubs, FUNCTIONS_FILE, makeCitusStubs } from '../harness/servers/citus-stubs.ts'
import { freshPgTest } from '../harness/fixtures.ts'

/** With TEST_CITUS every database is prepared already. */
const test = process.env['TEST_CITUS'] === undefined ? freshPgTest : freshPgTest.skip

const OPTIONS = { functionsFile: FUNCTIONS_FILE, shards: 4 }
const DISTRIBUTE = /^select (create_|citus_)/

async function triggersOf(db: Database): Promise<{ trigger: string; on: string; isOfMonth: boolean }[]> {
  const { rows } = await sql<{ trigger: string; on: string; isOfMonth: boolean }>`
    select tgname as trigger, tgrelid::regclass::text as "on", relispartition as "isOfMonth"
    from pg_trigger join pg_class on pg_class.oid = tgrelid where not tgisinternal and tgparentid = 0 order by 1`.execute(db)
  return rows
}

test('a database without Citus is refused with a sentence, and stays as it is', async ({ db }) => {
  await expect(distributionSteps(db, OPTIONS)).rejects.toThrow('The database has no Citus: install it on every node')
  expect((await triggersOf(db)).length).toBeGreaterThan(REPLACED_TRIGGERS.length)
})

test('a dry run makes no users', async () => {
  const args = ['--citus', '--dry-run', '--role', `endpoint=${FUNCTIONS_FILE}`]
  await expect(migrateCommand().parseAsync(args, { from: 'user' })).rejects.toThrow('leave out --role')
})

test('every trigger of a table of several nodes is known with what replaces it', async ({ db }) => {
  const local = new Set(PLACEMENTS.filter(({ as }) => as === 'local').map(({ table }) => table))
  const found = (await triggersOf(db)).filter(({ on, isOfMonth }) => !isOfMonth && !local.has(on))
  const nameOf = ({ trigger, on }: { trigger: string; on: string }) => `${trigger} on ${on}`
  expect(found.map(nameOf).toSorted()).toEqual(REPLACED_TRIGGERS.map(nameOf).toSorted())
})

test('tables are placed in the order of foreign keys after the triggers are gone, once', async ({ db }) => {
  await distributeOnStubs(db)
  const { rows: placed } = await sql<{ table: string; as: string; by: string | null }>`
    select case relnamespace::regnamespace::text when 'public' then relname else relnamespace::regnamespace || '.' || relname end as "table",
      placed_as as "as", column_name as by
    from pg_dist_partition join pg_class on oid = logicalrelid`.execute(db)
  const expected = PLACEMENTS.map((placement) => ({
    ...{ table: placement.table, as: placement.as, by: placement.as === 'distributed' ? placement.by : null },
  }))
  expect(new Set(placed.map((row) => JSON.stringify(row)))).toEqual(new Set(expected.map((row) => JSON.stringify(row))))
  expect((await triggersOf(db)).map(({ on }) => on)).toEqual(['audit_entry'])
  const { rows } = await sql<{ worksSince: string; name: string }>`
    select works_since as "worksSince", left(name, 4) as name from migration order by name desc limit 1`.execute(db)
  expect(rows[0]!.worksSince).toBe(rows[0]!.name)
  // What is done is not done again, but functions.
  const again = await distributionSteps(db, OPTIONS)
  expect(again.flat().filter((statement) => DISTRIBUTE.test(statement))).toHaveLength(DISTRIBUTED_FUNCTIONS.length)
  await distribute(db, again)
})

test('a preparation that was killed between two tables goes on there', async ({ db }) => {
  await makeCitusStubs(db)
  await distribute(db, (await distributionSteps(db, OPTIONS)).slice(0, 10))
  const rest = await distributionSteps(db, OPTIONS)
  await distribute(db, rest)
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from pg_dist_partition`.execute(db)
  expect(rows[0]!.n).toBe(PLACEMENTS.length)
})

test('it refuses while a process is connected, without a coordinator, and while an older rule is in force', async ({
  db,
  database,
}) => {
  await makeCitusStubs(db)
  const endpoint = connect({ url: database.url, name: 'footfall endpoint', connectionsMax: 1 })
  await sql`select 1`.execute(endpoint)
  await expect(distributionSteps(db, OPTIONS)).rejects.toThrow('Stop every process of Footfall first')
  await endpoint.destroy()
  await sql`update product_tie_rule set rule = 1`.execute(db).catch(() => undefined)
  await sql`delete from pg_dist_node where groupid = 0`.execute(db)
  await expect(distributionSteps(db, OPTIONS)).rejects.toThrow('Citus does not know its coordinator')
})

test('a prepared database makes its months open, and its numbers are right', async ({ db, database }) => {
  await distributeOnStubs(db)
  const prepared = connect({ url: database.url, name: 'test' })
  await sql`select make_log_months('interaction', array['2025-01-01', '2025-02-01']::date[])`.execute(prepared)
  await sql`select make_log_months('interaction', array['2025-01-01', '2025-02-01']::date[])`.execute(prepared)
  const { rows } = await sql`
    select from pg_inherits where inhparent = 'interaction'::regclass and inhrelid::regclass::text ~ '2025_0[12]$'`.execute(
    prepared,
  )
  expect(rows).toHaveLength(2)
  expect((await triggersOf(prepared)).map(({ on }) => on)).toEqual(['audit_entry'])
  expect(await verify(prepared)).toMatchObject({ drift: [] })
  await prepared.destroy()
})
