import { sql } from 'kysely'
import { expect, onTestFinished, test as base } from 'vitest'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { readConfig } from '../../src/main/config/config.ts'
import { prepareDatabase } from '../../src/main/database/prepare-database.ts'
import { grantRoles } from '../../src/store/access/database-role.ts'
import type { Database, Queryable } from '../../src/store/database/connection.ts'
import { migrate } from '../../src/store/database/migration.ts'
import { monthOf } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { rescore } from '../../src/store/popularity/popularity-rules.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { partitionOf } from '../harness/items/months.ts'
import { COMPOSE_PASSWORDS, startComposeServer } from '../harness/servers/compose-database.ts'
import { BALANCED } from '../harness/servers/database.ts'
import { migrateUpTo, SQL } from '../harness/servers/migrate-up-to.ts'

/** The newest file of the release whose endpoint owned the tables of the log. */
const NEWEST_OF_BEFORE = '0014'
const OLD = 'old_layout'

const ago = (days: number) => Date.now() - days * DAY_MS
const monthAgo = (days: number) => partitionOf('interaction', monthOf(ago(days)))

/** How that release granted its users their rights. */
const GRANTS_OF_BEFORE = `
  create role footfall_endpoint login password 'test';
  create role footfall_gateway login password 'test';
  grant usage on schema public, catalog to footfall_endpoint, footfall_gateway;
  grant select on all tables in schema public, catalog to footfall_gateway;
  grant select, insert, update, delete on all tables in schema public, catalog to footfall_endpoint;
  revoke insert, update, delete on api_key, audit_entry, migration from footfall_endpoint;
  grant execute on function make_log_month(text, date), drop_log_month(text, date) to footfall_endpoint;
  grant footfall_endpoint to current_user;
  grant create on schema public to footfall_endpoint;
  alter table interaction owner to footfall_endpoint;
  alter table search owner to footfall_endpoint;
  alter table analytics_event owner to footfall_endpoint;
  revoke create on schema public from footfall_endpoint;`

/** A server with a database of the release before, without connections, so that each test copies it. */
const test = base.extend('server', { scope: 'file' }, async ({}, { onCleanup }) => {
  const server = await startComposeServer()
  onCleanup(server.stop)
  await sql`create database ${sql.id(OLD)} owner footfall_owner`.execute(server.superuser)
  const owner = server.open('footfall_owner', OLD)
  await migrateUpTo(owner, NEWEST_OF_BEFORE)
  await rescore(owner, BALANCED)
  await sql.raw(GRANTS_OF_BEFORE).execute(owner)
  for (const days of [0, 100, 150, 200]) {
    for (const table of ['interaction', 'search', 'analytics_event'])
      await sql`select make_log_month(${table}, ${`${monthOf(ago(days))}-01`}::date)`.execute(owner)
  }
  await owner.destroy()
  return server
})

/** A copy of the old database, and its users. */
async function copyOf({ superuser, open }: Awaited<ReturnType<typeof startComposeServer>>, name: string) {
  await sql`create database ${sql.id(name)} template ${sql.id(OLD)} owner footfall_owner`.execute(superuser)
  const [owner, endpoint] = [open('footfall_owner', name), open('footfall_endpoint', name)]
  onTestFinished(async () => {
    await Promise.all([owner.destroy(), endpoint.destroy()])
    await sql`drop database ${sql.id(name)} with (force)`.execute(superuser)
  })
  return { owner, endpoint }
}

const owners = (db: Database) =>
  sql<{ name: string; owner: string }>`
    select relname as name, pg_get_userbyid(relowner) as owner from pg_class where relkind in ('r', 'p')
      and relname ~ '^(interaction|search|analytics_event)(_[0-9]{4}_[0-9]{2})?$' order by 1`
    .execute(db)
    .then(({ rows }) => rows)

test('the log of the release before gets its owner from migrate --role, and works at every step', async ({ server }) => {
  const { owner, endpoint } = await copyOf(server, 'upgraded')
  // A run of retention that was killed between its steps.
  await sql`update log_horizon set horizon = date_trunc('month', now() - interval '190 days', 'UTC')`.execute(endpoint)
  await sql`alter table interaction detach partition ${sql.table(monthAgo(200))} concurrently`.execute(endpoint)

  await prepareDatabase(owner, readConfig({}))
  // The endpoint of the release before, and of this one.
  await sql`select make_log_month('interaction', ${`${monthOf(ago(50))}-01`}::date)`.execute(endpoint)
  await recordAndCount(
    endpoint,
    [0, 80, 100, 150].map((days) => interaction({ occurredAtMs: ago(days) })),
  )

  for (const _again of [1, 2]) expect(await grantRoles(owner, COMPOSE_PASSWORDS, 'test')).toContain('revoke execute')
  const all = await owners(owner)
  expect(all.length).toBeGreaterThan(15)
  expect(all.filter((one) => one.owner !== 'footfall_log')).toEqual([])
  await recordAndCount(endpoint, [interaction({ occurredAtMs: ago(90) }), interaction({ occurredAtMs: ago(0) })])
  const { dropped } = await dropOldMonths(endpoint, 32)
  expect(dropped).toEqual(expect.arrayContaining([200, 150, 100].map(monthAgo)))
  expect((await verify(endpoint)).drift).toEqual([])
})

test('the owner of the log opens months after 0017 without another migrate --role', async ({ server }) => {
  const { owner, endpoint } = await copyOf(server, 'with_owner')
  await prepareDatabase(owner, readConfig({}))
  await grantRoles(owner, COMPOSE_PASSWORDS, 'test')
  await sql`drop function closed_log_months, reject_row_of_closed_month cascade`.execute(owner)
  await sql`delete from migration where name like '0017%'`.execute(owner)

  expect(await migrate(owner, SQL)).toEqual(['0017_open-months.sql'])
  expect((await recordAndCount(endpoint, [interaction({ occurredAtMs: ago(50) })])).accepted).toBe(1)
})

/** What an endpoint that owns a table can add to it, so that it runs with the rights of the role that makes a month. */
const PLANTED = {
  'constraint planted': 'alter table search add constraint planted check (batch_id is not null or pg_temp.evil(1) = 1)',
  'index public.search_planted': 'create index search_planted on search (batch_id) where pg_temp.evil(1) = 1',
  'index public.search_expression': 'create index search_expression on search (pg_temp.evil(1))',
  'default of batch_id': 'alter table search alter column batch_id set default pg_temp.evil(1)',
  'function of an operator': 'alter table search add constraint planted check (batch_id operator(pg_temp.=) 1)',
  'trigger planted': 'create trigger planted after insert on search execute function pg_temp.evil()',
  'policy planted': 'create policy planted on search using (pg_temp.evil(1) = 1)',
  'rule planted': 'create rule planted as on insert to search do also select pg_temp.evil(1)',
  'statistics planted': 'create statistics planted on (pg_temp.evil(1)) from search',
}

/** Functions that make a key when they run with the rights of the owner. PostgreSQL evaluates an immutable one early. */
const EVIL = `
  create function pg_temp.make_key() returns int language plpgsql as $$ begin
    if has_table_privilege('public.api_key', 'insert') then
      insert into public.api_key (key_id, name, secret_sha256, scopes, is_publishable, origins)
        values ('0123456789ab', 'evil', sha256('x'), '{manage}', false, '{}');
    end if;
    return 1;
  end $$;
  create function pg_temp.evil(bigint) returns int language plpgsql immutable as $$ begin perform pg_temp.make_key(); return 1; end $$;
  create function pg_temp.evil() returns trigger language plpgsql as $$ begin perform pg_temp.make_key(); return null; end $$;
  create function pg_temp.same(bigint, int) returns bool language plpgsql immutable as $$ begin return pg_temp.evil(1) = 1; end $$;
  create operator pg_temp.= (leftarg = bigint, rightarg = int, function = pg_temp.same);
  do $$ declare month text; begin
    for month in select inhrelid::regclass from pg_inherits where inhparent = 'search'::regclass loop
      execute 'alter table search detach partition ' || month;
    end loop;
  end $$;`

const keys = async (db: Queryable) => (await sql`select from api_key`.execute(db)).rows.length

test.for(Object.entries(PLANTED))(
  'nothing that the endpoint added to its table runs for the owner: %s',
  async ([what, statement], { server }) => {
    const { owner, endpoint } = await copyOf(server, 'planted')
    await sql`grant create on schema public to footfall_endpoint`.execute(owner)
    // One session, because what is in pg_temp goes with it.
    await endpoint.connection().execute(async (session) => {
      await sql.raw(EVIL).execute(session)
      await sql.raw(statement).execute(session)
      await migrate(owner, SQL)
      await expect(sql`select make_log_month('search', '2001-05-01')`.execute(session)).rejects.toThrow(
        'what does not belong to it',
      )
      await expect(grantRoles(owner, COMPOSE_PASSWORDS, 'test')).rejects.toThrow(what.startsWith('function') ? 'operator' : what)
    })
    expect(await keys(owner)).toBe(0)
  },
)
