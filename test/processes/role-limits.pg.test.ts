import { sql } from 'kysely'
import pg from 'pg'
import { expect, test as base } from 'vitest'
import type { Database, Queryable } from '../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { listApiKeys } from '../../src/store/access/api-key.ts'
import { checkPrepared } from '../../src/main/database/check-prepared.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { makeKey } from '../harness/items/keys.ts'
import { doAllWork } from '../harness/items/role-work.ts'
import { partitionOf } from '../harness/items/months.ts'
import { REFUSED_TO_GATEWAY, type Refused, refusedToEndpoint } from '../harness/items/refused-statements.ts'
import { startComposeDatabase } from '../harness/servers/compose-database.ts'

const KEPT_DAYS = 60

const test = base.extend('users', { scope: 'file' }, async ({}, { onCleanup }) => {
  const users = await startComposeDatabase(KEPT_DAYS)
  onCleanup(users.stop)
  return users
})

/** What a statement came to: its SQLSTATE, or that it was done. */
async function outcomeOf(db: Queryable, statement: string): Promise<string> {
  return sql
    .raw(statement)
    .execute(db)
    .then(
      () => 'done',
      (error: unknown) => (error instanceof pg.DatabaseError ? error.code! : String(error)),
    )
}

/** The statements that ended otherwise than they must. */
async function otherOutcomes(db: Database, refused: Refused): Promise<object[]> {
  const others: object[] = []
  await db.connection().execute(async (session) => {
    await sql`set default_transaction_read_only = off`.execute(session)
    await sql`set statement_timeout = '5s'`.execute(session)
    for (const [state, statements] of Object.entries(refused)) {
      for (const statement of statements) {
        const outcome = await outcomeOf(session, statement)
        if (outcome !== state) others.push({ statement, outcome, expected: state })
      }
    }
  })
  return others
}

test('the endpoint does all its work, and the gateway reads everything', async ({ users }) => {
  await doAllWork(users.endpoint, KEPT_DAYS)
  await checkPrepared(users.urlAs('footfall_endpoint'), 'refuse')
  await checkPrepared(users.urlAs('footfall_gateway'), 'refuse')
  await makeKey(users.owner)
  expect(await listApiKeys(users.gateway)).toHaveLength(1)
  expect((await verify(users.gateway)).drift).toEqual([])
})

test('PostgreSQL refuses to the endpoint what its work does not need', async ({ users }) => {
  const refused = refusedToEndpoint(partitionOf('interaction', monthOf(Date.now())))
  expect(Object.values(refused).flat().length).toBeGreaterThan(100)
  expect(await otherOutcomes(users.endpoint, refused)).toEqual([])
})

test('PostgreSQL refuses to the gateway everything but reading, also in a read-write transaction', async ({ users }) => {
  expect(Object.values(REFUSED_TO_GATEWAY).flat().length).toBeGreaterThan(100)
  expect(await otherOutcomes(users.gateway, REFUSED_TO_GATEWAY)).toEqual([])
})

test('a function of the endpoint cannot act as the owner through a table of the log', async ({ users }) => {
  const state = async () =>
    (await sql`select (select count(*) from api_key), (select max(actor) from audit_entry)`.execute(users.owner)).rows
  const before = await state()
  const evil = `create function pg_temp.evil(int) returns int language plpgsql immutable as $$ begin
    insert into public.api_key (key_id, name, secret_sha256, scopes, is_publishable, origins)
      values ('0123456789ab', 'evil', sha256('x'), '{manage}', false, '{}');
    return 1;
  end $$`
  const attack = {
    [evil]: '42501',
    'alter table search detach partition log_month.search_2001_04': '42501',
    'alter table search add constraint evil check (batch_id is not null or pg_temp.evil(1) = 1)': '42501',
    'alter table search alter column batch_id set default pg_temp.evil(1)': '42501',
    'create trigger evil after insert on search execute function pg_temp.evil(1)': '42501',
    // It makes months, and nothing else.
    [`select make_log_months('search', '{2001-04-01,2001-05-01}')`]: 'done',
    [`select make_log_month('search', '2001-06-01')`]: 'done',
  }
  await makePartitions(users.owner, ['2001-04'], ['search'])
  await users.endpoint.connection().execute(async (session) => {
    for (const [statement, outcome] of Object.entries(attack)) {
      expect([statement, await outcomeOf(session, statement)]).toEqual([statement, outcome])
    }
  })
  expect(await state()).toEqual(before)
})

/** Settings under which a month could get another name or other bounds. */
const SETTINGS = [
  [`timezone = 'EST-10'`, `datestyle = 'SQL, DMY'`],
  [`timezone = 'PST+3'`, `datestyle = 'German'`],
  [`timezone = 'AAA-160BBB-12,M1.1.0/0,M12.5.0/0'`],
]

test.for(SETTINGS.map((settings, n) => [settings.join(', '), settings, 2002 + n] as const))(
  'no setting of a session changes what a month is: %s',
  async ([_title, settings, year], { users }) => {
    const horizon = () => sql`select horizon from log_horizon`.execute(users.owner)
    const before = await horizon()
    await users.endpoint.connection().execute(async (session) => {
      for (const setting of settings) await sql.raw(`set ${setting}`).execute(session)
      await sql`select make_log_months('search', array[make_date(${year}, 1, 1)])`.execute(session)
      await sql`select move_log_horizon(${KEPT_DAYS})`.execute(session)
      await sql`reset all`.execute(session)
    })
    const { rows } = await sql<{ bounds: string }>`
      select pg_get_expr(relpartbound, oid) as bounds from pg_class where relname = ${`search_${year}_01`}`.execute(users.owner)
    expect(rows).toEqual([{ bounds: `FOR VALUES FROM ('${year}-01-01 00:00:00+00') TO ('${year}-02-01 00:00:00+00')` }])
    expect(await horizon()).toEqual(before)
  },
)

/** What the role that owns the log may not do, should a statement reach its functions after all. */
const BEYOND_THE_LOG = [
  'update audit_entry set actor = actor',
  'delete from audit_entry',
  'alter table audit_entry disable trigger all',
  'select from audit_entry',
  'insert into api_key select * from api_key',
  'select from api_key',
  'select from payment_callback',
  'update sale_line set amount = 0',
  'update product_popularity set score_micros = 0',
  'delete from product_rating',
  'delete from log_horizon',
  'update log_horizon set keep_days_min = 32',
  'create function public.to_jsonb(migration) returns jsonb language sql return null',
  'create table public.planted ()',
  'create schema planted',
  'create temporary table planted ()',
  'set role footfall_owner',
  'alter role footfall_endpoint superuser',
  'alter schema log_month owner to footfall_endpoint',
  'alter function check_log_table(text) reset all',
]

test('the role that owns the log reaches nothing else, and cannot log in', async ({ users }) => {
  await users.superuser.connection().execute(async (session) => {
    await sql`set session authorization footfall_log`.execute(session)
    for (const statement of BEYOND_THE_LOG) expect([statement, await outcomeOf(session, statement)]).toEqual([statement, '42501'])
    await sql`reset session authorization`.execute(session)
  })
  const { rows } = await sql`select rolcanlogin, rolsuper, rolcreaterole from pg_roles where rolname = 'footfall_log'`.execute(
    users.superuser,
  )
  expect(rows).toEqual([{ rolcanlogin: false, rolsuper: false, rolcreaterole: false }])
})

test('the endpoint drops what is older than the owner keeps, and nothing else', async ({ users }) => {
  const old = monthOf(Date.now() - 100 * DAY_MS)
  await makePartitions(users.owner, [old], ['search'])
  const months = await tablesOfLog(users.owner)
  await expect(dropOldMonths(users.endpoint, KEPT_DAYS - 1)).rejects.toThrow('run footfall migrate --role with RETENTION_DAYS')
  expect(await tablesOfLog(users.owner)).toEqual(months)
  expect((await dropOldMonths(users.endpoint, KEPT_DAYS + 1)).dropped).toContain(partitionOf('search', old))
  // The owner decides for itself.
  await dropOldMonths(users.owner, 32)
})

async function tablesOfLog(db: Database): Promise<unknown[]> {
  return (await sql`select inhrelid::regclass::text from pg_inherits order by 1`.execute(db)).rows
}
