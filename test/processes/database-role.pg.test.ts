import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, inject, onTestFinished, vi } from 'vitest'
import { archiveMonth } from '../../services/archive/archive-month.ts'
import { archivedMonths, readManifest } from '../../services/archive/manifest.ts'
import { restoreMonth } from '../../services/archive/restore-month.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import { checkPrepared } from '../../src/main/database/check-prepared.ts'
import { migrateCommand } from '../../src/cli/commands/migrate.ts'
import { readConfig } from '../../src/main/config/config.ts'
import { prepareDatabase } from '../../src/main/database/prepare-database.ts'
import { connect, type Queryable, type Database } from '../../src/store/database/connection.ts'
import { restoredTable } from '../../src/store/archive/restored-month.ts'
import { grantRoles, type Role, ROLES, userOf } from '../../src/store/access/database-role.ts'
import { FencedError, readOffsets, seek, storedOffsets } from '../../src/store/kafka/offset.ts'
import { storeRecords } from '../../src/store/kafka/record-batch.ts'
import { judgeRecords } from '../../src/admission/judge-records.ts'
import { NOON_MS, productEvent, recordOf } from '../harness/items/records.ts'
import { lowStock } from '../../src/store/metrics/low-stock.ts'
import { sellerMetrics } from '../../src/store/metrics/metric-state.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { refreshRising } from '../../src/store/popularity/rising.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { createEmptyDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { crossings, makeAlert } from '../harness/items/alerts.ts'
import { erase } from '../harness/items/erased.ts'
import { makeKey } from '../harness/items/keys.ts'
import { audit } from '../../src/store/audit/audit-entry.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { CHANGES_OF_WHAT_IS_KEPT } from '../harness/items/refused-statements.ts'
import { doAllWork, fill, monthsAgo, readEverything } from '../harness/items/role-work.ts'

/** Roles belong to the server and not to a database, so no other file makes them. */
const PASSWORDS: Record<Role, string> = { endpoint: 'a/b:c@d%', gateway: `it's "g" \\ ünï`, consumer: 'c' }

const DAYS = 32

let endpoint: Database
let gatewayDb: Database
test.beforeEach(async ({ db, database }) => {
  await grantRoles(db, PASSWORDS, 'test', DAYS)
  endpoint = as(database, 'endpoint')
  gatewayDb = as(database, 'gateway')
})

function urlOf(database: TestDatabase, role: Role, password = PASSWORDS[role], databaseUrl = database.url): string {
  const url = new URL(databaseUrl)
  url.username = userOf(role)
  url.password = encodeURIComponent(password)
  return url.href
}

function as(database: TestDatabase, role: Role): Database {
  const db = connect({ url: urlOf(database, role), name: 'test', connectionsMax: 3 })
  onTestFinished(() => db.destroy())
  return db
}

const NOW_MS = Date.now()
const ago = (days: number) => NOW_MS - days * DAY_MS

test('the endpoint can do all its work without drift', async ({ database }) => {
  await doAllWork(endpoint, DAYS)
  await checkPrepared(urlOf(database, 'endpoint'), 'refuse')
})

test('the consumer stores records, also of a month that does not exist, and may do nothing else', async ({ db, database }) => {
  const consumer = as(database, 'consumer')
  await checkPrepared(urlOf(database, 'consumer'), 'refuse')
  const at = { topic: 'interactions', partition: 0 }
  const [{ next } = { next: 1n }] = await readOffsets(consumer, [{ ...at, next: 0n }])
  expect(next).toBe(0n)
  const view = {
    session_id: 's',
    event_type: 'view',
    ref_type: 'Product',
    ref_id: 'p',
    occurred_at: new Date(ago(200)).toISOString(),
  }
  const rating = { ...view, event_type: 'rating_high', metadata: { rating: 5 } }
  const records = [
    recordOf(productEvent(), { offset: 0n }),
    recordOf(productEvent({ name: 'Other' }, { timestamp: NOON_MS + 1 }), { offset: 1n }),
    recordOf(view, { kind: 'interaction', offset: 0n }),
    recordOf(rating, { kind: 'interaction', offset: 1n }),
    recordOf(null, { offset: 2n }),
  ]
  const privacy = { ipAddress: 'keep', userAgent: 'keep' } as const
  const judged = await judgeRecords(records, { nowMs: NOW_MS, currency: 'EUR', privacy })
  const stored = await storeRecords(consumer, [{ ...at, before: 0n, next: 2n }], judged)
  expect(stored).toMatchObject({ changed: 1, recorded: 2 })
  await seek(consumer, { ...at, next: 1n }, 'footfall')
  expect(await storedOffsets(consumer)).toMatchObject([{ ...at, next: 1n }])
  expect((await verify(db)).drift).toEqual([])
  for (const refused of [
    sql`update interaction set ref_id = 'x'`,
    sql`delete from interaction`,
    sql`delete from catalog.product`,
    sql`delete from kafka_offset`,
    sql`update interaction_batch set scored_at = now()`,
    sql`select from payment_callback`,
    sql`select from api_key`,
    sql`select from audit_entry`,
    sql`select from alert`,
    sql`select from alert_crossing`,
    sql`select from secret.alert_secret`,
    sql`create table mine (n int)`,
  ]) {
    await expect(refused.execute(consumer)).rejects.toThrow('permission denied')
  }
})

test('products of the consumer are counted by the metrics and cross an alert once, although it may write neither', async ({
  db,
  database,
}) => {
  const consumer = as(database, 'consumer')
  const alert = await makeAlert(db)
  const at = { topic: 'product.updated', partition: 0 }
  await readOffsets(consumer, [{ ...at, next: 0n }])
  const store = async (quantity: number, offset: bigint) => {
    const record = recordOf(productEvent({ quantity }, { timestamp: NOON_MS + Number(offset) }), { offset })
    const privacy = { ipAddress: 'keep', userAgent: 'keep' } as const
    const judged = await judgeRecords([record], { nowMs: NOW_MS, currency: 'EUR', privacy })
    return storeRecords(consumer, [{ ...at, before: offset, next: offset + 1n }], judged)
  }
  for (const [n, quantity] of [12, 3, 2].entries()) await store(quantity, BigInt(n))
  // A second consumer of the partition, or an attempt that is repeated after its commit.
  await expect(store(3, 1n)).rejects.toThrow(FencedError)
  expect(await crossings(db)).toMatchObject([
    { alert_id: alert.id, subject: 'lamp', facts: { quantity: 3, previous_quantity: 12 } },
  ])
  expect(await lowStock(db)).toMatchObject({ products: [{ product_id: 'lamp', quantity: 2 }], crossings: [{ quantity: 3 }] })
  expect(await sellerMetrics(db, 's-1')).toMatchObject({ total_products: 1, amounts: [{ currency: 'EUR', amount: 4_990 * 2 }] })
  expect((await verify(db)).drift).toEqual([])
  for (const table of [
    'product_metric_delta',
    'product_metric',
    'low_stock_crossing',
    'alert',
    'alert_crossing',
    'secret.alert_secret',
  ]) {
    await expect(sql`delete from ${sql.table(table)}`.execute(consumer)).rejects.toThrow('permission denied')
  }
})

test('the endpoint verifies restored months, which no other user reads', async ({ db }) => {
  await recordAndCount(endpoint, [interaction({ occurredAtMs: ago(200) })])
  const folder = await mkdtemp(join(tmpdir(), 'footfall-archive-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const store = createFolderArchive(folder)
  await dropOldMonths(endpoint, DAYS, (table, month) => archiveMonth({ db: endpoint, store }, table, month))
  for await (const manifest of archivedMonths(store)) await restoreMonth(db, store, manifest)
  const restored = { drift: [], restored_months: 1 }
  expect(await verify(endpoint)).toMatchObject(restored)
  // Users that are made after a restore.
  await sql`revoke all on all tables in schema restored from ${sql.id(userOf('endpoint'))}`.execute(db)
  await grantRoles(db, PASSWORDS, 'test', DAYS)
  expect(await verify(endpoint)).toMatchObject(restored)
  const table = sql.table(restoredTable('interaction', monthOf(ago(200))))
  await expect(sql`select from ${table}`.execute(gatewayDb)).rejects.toThrow('permission denied')
  await expect(sql`delete from ${table}`.execute(endpoint)).rejects.toThrow('permission denied')
})

test('the endpoint can drop months that it made, and months of a later migration', async ({ db }) => {
  await makePartitions(endpoint, [monthOf(ago(200))])
  await makePartitions(db, [monthOf(ago(100))])
  await recordAndCount(endpoint, [interaction({ occurredAtMs: ago(100) })])
  expect(await dropOldMonths(endpoint, DAYS)).toEqual({ dropped: [200, 100].flatMap(monthsAgo).toSorted(), waiting: [] })
})

test('the endpoint archives and erases, the owner restores, and no other user reads the keys of shoppers', async ({
  db,
  database,
}) => {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-archive-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const store = createFolderArchive(folder)
  await makePartitions(endpoint, [monthOf(ago(200))])
  await recordAndCount(endpoint, [interaction({ accountId: 'ada', userAgent: 'x', occurredAtMs: ago(200) })])
  await dropOldMonths(endpoint, DAYS, (table, month) => archiveMonth({ db: endpoint, store }, table, month))
  const manifest = (await readManifest(store, 'interaction', monthOf(ago(200))))!
  expect(manifest.rows).toBe(1)
  for (const user of [endpoint, gatewayDb]) {
    await expect(restoreMonth(user, store, manifest)).rejects.toThrow('permission denied')
  }
  await restoreMonth(db, store, manifest)
  for (const user of [db, endpoint, gatewayDb]) expect((await verify(user)).drift).toEqual([])
  expect((await verify(db)).restored_months).toBe(1)
  for (const user of [gatewayDb, as(database, 'consumer')]) {
    await expect(sql`select from archive_shopper`.execute(user)).rejects.toThrow('permission denied')
  }
  const { certificate } = await erase(endpoint, 'account:ada')
  expect(certificate!.tables).toMatchObject({ archive_shopper: 1, restored: 1 })
  const { rows } = await sql<{
    row: string
  }>`select t::text as row from ${sql.table(restoredTable('interaction', manifest.month))} t`.execute(db)
  expect(rows.map(({ row }) => /erased-[0-9a-f]{32}/.test(row) && !/\bada\b/.test(row))).toEqual([true])
})

test('the owner records and drops months as before after the roles were made', async ({ db }) => {
  await makePartitions(db, [monthOf(ago(100)), monthOf(ago(500))])
  await fill(db)
  expect((await dropOldMonths(db, DAYS)).dropped).toEqual([500, 100].flatMap(monthsAgo).toSorted())
  expect((await verify(db)).drift).toEqual([])
})

test('an owner without superuser rights that may create roles prepares the database and the roles, and says what it may not', async ({
  db,
  database,
}) => {
  const { db: superuser, url, drop } = await createEmptyDatabase(inject('postgresUrl'))
  const owner = await makeOwner(db, url)
  await prepareDatabase(owner, readConfig({}))
  const left = await grantRoles(owner, PASSWORDS, 'test', DAYS)
  await sql.raw(left!).execute(superuser)
  expect(await grantRoles(owner, PASSWORDS, 'test', DAYS)).toBeUndefined()
  await makePartitions(owner, [monthOf(ago(100))])
  const worker = connect({ url: urlOf(database, 'endpoint', PASSWORDS.endpoint, url), name: 'test' })
  await recordAndCount(worker, [interaction({ occurredAtMs: ago(100) })])
  expect((await dropOldMonths(worker, DAYS)).dropped).toEqual(monthsAgo(100))
  await Promise.all([owner.destroy(), worker.destroy()])
  await drop()
  await sql`drop role ${sql.id(OWNER)}`.execute(db)
})

const OWNER = 'owner_of_a_test'

/** Connects as a role that owns the database at the address, and administers the roles as if it had created them. */
async function makeOwner(db: Database, url: string): Promise<Database> {
  await sql`create role ${sql.id(OWNER)} login createrole password 'owner'`.execute(db)
  for (const role of [...ROLES.map(userOf), 'footfall_log'])
    await sql`grant ${sql.id(role)} to ${sql.id(OWNER)} with admin true, inherit false, set false`.execute(db)
  const owned = new URL(url)
  await sql`alter database ${sql.id(owned.pathname.slice(1))} owner to ${sql.id(OWNER)}`.execute(db)
  owned.username = OWNER
  owned.password = 'owner'
  return connect({ url: owned.href, name: 'test' })
}

/** The statements that did not fail with "permission denied". */
async function notDenied(db: Queryable, statements: readonly string[]): Promise<string[]> {
  const others: string[] = []
  for (const statement of statements) {
    const outcome = await sql
      .raw(statement)
      .execute(db)
      .then(
        () => 'done',
        (error: Error) => error.message,
      )
    if (!/permission denied|must be owner|may be dropped/.test(outcome)) others.push(`${statement}: ${outcome}`)
  }
  return others
}

test.for(['update audit_entry set actor = actor', 'delete from audit_entry', 'truncate audit_entry'])(
  '%s fails even for the owner',
  async (statement, { db }) => {
    await audit(db, { actor: 'ada', action: 'key.create', resourceType: 'key', resourceId: 'k-1' })
    await expect(sql.raw(statement).execute(db)).rejects.toThrow('audit entries are added, and neither changed nor deleted')
  },
)

const OTHERS = [
  'create function to_jsonb(migration) returns jsonb language sql as $$ delete from audit_entry; select null::jsonb $$',
  'create table planted ()',
  'create schema planted',
  'drop schema catalog cascade',
  'create role other',
  `select drop_log_month('interaction', (now() + interval '1 month')::date)`,
]

test('the endpoint cannot change the audit, payments, keys, migrations or the schema', async () => {
  expect(await notDenied(endpoint, [...CHANGES_OF_WHAT_IS_KEPT, ...OTHERS])).toEqual([])
})

test('the gateway can read everything that its routes need', async ({ db, database }) => {
  await fill(db)
  await refreshRising(db, NOW_MS)
  await makeKey(db)
  await readEverything(gatewayDb)
  await checkPrepared(urlOf(database, 'gateway'), 'refuse')
})

/** The quoted name of every table and month. */
async function tables(db: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select oid::regclass::text as name from pg_class
    where relkind in ('r', 'p') and relnamespace in ('public'::regnamespace, 'catalog'::regnamespace, 'secret'::regnamespace)`.execute(
    db,
  )
  return rows.map(({ name }) => name)
}

const writesTo = (table: string) => [
  `insert into ${table} default values`,
  `delete from ${table}`,
  `truncate ${table}`,
  `drop table ${table}`,
]

test('the gateway cannot write to any table, even in a read-write transaction', async ({ db }) => {
  await expect(sql`delete from interaction`.execute(gatewayDb)).rejects.toThrow('read-only transaction')
  const names = await tables(db)
  expect(names).toEqual(
    expect.arrayContaining(['interaction', 'catalog.product', 'audit_entry', 'api_key', 'secret.alert_secret']),
  )
  const others = ['update product_popularity set score_micros = 0', 'drop view product_cell', 'create table x ()']
  await gatewayDb.connection().execute(async (session) => {
    await sql`set default_transaction_read_only = off`.execute(session)
    expect(await notDenied(session, [...names.flatMap(writesTo), ...others])).toEqual([])
  })
})

/** The settings of the roles, the owners of tables, and every grant. */
async function rights(db: Database): Promise<unknown> {
  const { rows } = await sql`
    select 'role' as what, rolname as name, rolsuper::text || rolcreaterole || rolcanlogin as rights, rolconfig::text as more
      from pg_roles where rolname like 'footfall%'
    union all
    select 'table', oid::regclass::text, pg_get_userbyid(relowner), relacl::text from pg_class
      where relnamespace in ('public'::regnamespace, 'catalog'::regnamespace)
    union all
    select 'schema', nspname, pg_get_userbyid(nspowner), nspacl::text from pg_namespace
    union all
    select 'member', roleid::regrole::text, member::regrole::text, count(*)::text from pg_auth_members
      where roleid::regrole::text like 'footfall%' group by 1, 2, 3
    order by 1, 2, 3`.execute(db)
  return rows
}

test('granting twice has the effect of granting once', async ({ db }) => {
  const once = await rights(db)
  await grantRoles(db, PASSWORDS, 'test')
  expect(await rights(db)).toEqual(once)
})

/** Each setting of a session that the gateway and the endpoint may change for themselves. */
async function ownSettings(): Promise<object[]> {
  const settings = sql`select current_setting('default_transaction_read_only') as readonly, current_setting('search_path') as path,
    current_setting('work_mem') as memory`
  return Promise.all([endpoint, gatewayDb].map(async (db) => (await settings.execute(db)).rows[0] as object))
}

test('migrate --role takes back the settings that a role gave itself, also those in one database', async ({ db, database }) => {
  const before = await ownSettings()
  for (const role of ROLES) {
    const [owned, name] = [as(database, role), new URL(database.url).pathname.slice(1)]
    await owned.connection().execute(async (session) => {
      await sql`set default_transaction_read_only = off`.execute(session)
      await sql`alter role current_user in database ${sql.id(name)} set default_transaction_read_only = off`.execute(session)
      await sql`alter role current_user in database ${sql.id(name)} set search_path = catalog`.execute(session)
      await sql`alter role current_user set work_mem = '64kB'`.execute(session)
    })
  }
  const reconnected = async () => {
    endpoint = as(database, 'endpoint')
    gatewayDb = as(database, 'gateway')
    return ownSettings()
  }
  expect(await reconnected()).toEqual([0, 1].map(() => ({ readonly: 'off', path: 'catalog', memory: '64kB' })))
  await grantRoles(db, PASSWORDS, 'test')
  expect(await reconnected()).toEqual(before)
})

const mayLogIn = (database: TestDatabase, role: Role, password: string) =>
  checkPrepared(urlOf(database, role, password), 'refuse').then(
    () => true,
    () => false,
  )

test('a role logs in with its latest password only', async ({ db, database }) => {
  for (const role of ROLES)
    expect([await mayLogIn(database, role, PASSWORDS[role]), await mayLogIn(database, role, 'new')]).toEqual([true, false])
  try {
    await grantRoles(db, { endpoint: 'new' }, 'test')
    expect([await mayLogIn(database, 'endpoint', 'new'), await mayLogIn(database, 'endpoint', PASSWORDS.endpoint)]).toEqual([
      true,
      false,
    ])
    expect(await mayLogIn(database, 'gateway', PASSWORDS.gateway)).toBe(true)
  } finally {
    await grantRoles(db, PASSWORDS, 'test')
  }
})

async function filesOfPasswords(): Promise<Record<Role, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-roles-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const role of ROLES) await writeFile(join(folder, role), `${PASSWORDS[role]}\n`)
  return { endpoint: join(folder, 'endpoint'), gateway: join(folder, 'gateway'), consumer: join(folder, 'consumer') }
}

test('migrate --role makes the roles, and audits it without the passwords', async ({ db, database }) => {
  const files = await filesOfPasswords()
  const said = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.stubEnv('DATABASE_URL', database.url)
  await migrateCommand().parseAsync(
    ROLES.flatMap((role) => ['--role', `${role}=${files[role]}`]),
    { from: 'user' },
  )
  vi.unstubAllEnvs()
  expect(said.mock.calls).toEqual([
    ['Nothing to apply.'],
    ['footfall_endpoint, footfall_gateway and footfall_consumer may log in.'],
  ])
  said.mockRestore()
  const { rows } = await sql`select action, resource_type, resource_id, metadata from audit_entry
    order by audit_id desc limit 1`.execute(db)
  expect(rows).toEqual([
    {
      action: 'database.grant',
      resource_type: 'database',
      resource_id: 'footfall',
      metadata: { roles: ['endpoint', 'gateway', 'consumer'] },
    },
  ])
})
