import { sql } from 'kysely'
import pg from 'pg'
import { expect, test as base } from 'vitest'
import type { Database, Queryable } from '../../src/store/database/connection.ts'
import { monthOf } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { listApiKeys } from '../../src/store/access/api-key.ts'
import { checkPrepared } from '../../src/main/database/check-prepared.ts'
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
  const months = await tablesOfLog(users.owner)
  await expect(dropOldMonths(users.endpoint, KEPT_DAYS - 1)).rejects.toThrow('run footfall migrate --role with RETENTION_DAYS')
  expect(await tablesOfLog(users.owner)).toEqual(months)
  await dropOldMonths(users.endpoint, KEPT_DAYS + 1)
  // The owner decides for itself.
  await dropOldMonths(users.owner, 32)
})

async function tablesOfLog(db: Database): Promise<unknown[]> {
  return (await sql`select inhrelid::regclass::text from pg_inherits order by 1`.execute(db)).rows
}
