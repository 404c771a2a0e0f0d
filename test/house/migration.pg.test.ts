import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest'
import { checkPrepared } from '../../src/main/database/check-prepared.ts'
import { readConfig } from '../../src/main/config/config.ts'
import { prepareDatabase } from '../../src/main/database/prepare-database.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { migrate, schemaState } from '../../src/store/database/migration.ts'
import { createDatabase, createEmptyDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { StartError } from '../../src/main/config/start-error.ts'

const SQL = join(import.meta.dirname, '..', '..', 'sql')
const MIGRATORS = 10
const FILES = (await readdir(SQL)).filter((name) => name.endsWith('.sql')).sort()
const NEWEST = FILES.at(-1)!.slice(0, 4)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-sql-'))
  await cp(SQL, folder, { recursive: true })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A database that is dropped after the test. */
async function fresh(make: typeof createDatabase = createDatabase): Promise<TestDatabase> {
  const database = await make(inject('postgresUrl'))
  onTestFinished(() => database.drop())
  return database
}

/** The file of a newer release. */
const addFile = (text: string) => writeFile(join(folder, '9000_newer.sql'), text)

async function appliedFiles(db: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from migration order by name`.execute(db)
  return rows.map(({ name }) => name)
}

/** Works concurrently, each time with connections of its own, as processes do. */
async function atOnce<T>(url: string, work: (db: Database) => Promise<T>): Promise<T[]> {
  const pools = Array.from({ length: MIGRATORS }, () => connect({ url, name: 'test', connectionsMax: 1 }))
  onTestFinished(async () => void (await Promise.all(pools.map((pool) => pool.destroy()))))
  return Promise.all(pools.map(work))
}

test('of ten concurrent migrations of an empty database one applies the files, and all succeed', async () => {
  const { db, url } = await fresh(createEmptyDatabase)
  await addFile('create table if not exists times_applied (at timestamptz); insert into times_applied values (now());')
  const outcomes = await atOnce(url, (pool) => migrate(pool, folder))
  const all = [...FILES, '9000_newer.sql']
  expect(outcomes.toSorted((one, other) => other.length - one.length)).toEqual([all, ...Array(MIGRATORS - 1).fill([])])
  expect(await appliedFiles(db)).toEqual(all)
  expect((await sql`select from times_applied`.execute(db)).rows).toHaveLength(1)
})

test('ten concurrent preparations of an empty database succeed', async () => {
  const { url } = await fresh(createEmptyDatabase)
  const outcomes = await atOnce(url, (pool) => prepareDatabase(pool, readConfig({})))
  expect(outcomes.filter((names) => names.length > 0)).toEqual([FILES])
  await checkPrepared(url, 'refuse')
})

test('if one file of a folder fails, no file is applied', async () => {
  const { db } = await fresh(createEmptyDatabase)
  await addFile('select 1 / 0')
  await expect(migrate(db, folder)).rejects.toThrow('division by zero')
  await expect(schemaState(db, folder)).rejects.toThrow('relation "migration" does not exist')
})

test('a database of a newer release is refused unchanged, with the name of the newer file', async () => {
  const { db, url } = await fresh()
  await addFile('create table newer ()')
  expect(await migrate(db, folder)).toEqual(['9000_newer.sql'])
  expect(await schemaState(db, SQL)).toEqual({ missing: [], notUnderstood: ['9000_newer.sql'] })
  const sentence = new StartError(
    'The database is of a newer Footfall (9000_newer.sql), which this one does not understand: start the newer one.',
  )
  for (const whenAway of ['refuse', 'wait'] as const) await expect(checkPrepared(url, whenAway)).rejects.toThrow(sentence)
  await expect(prepareDatabase(db, readConfig({}))).rejects.toThrow(sentence)
})

test.each([
  ['the newest file that this code knows', 'understood', `-- works since ${NEWEST}`, []],
  ['an older one', 'understood', '-- works since 0001', []],
  ['one that this code does not know', 'not understood', '-- works since 8999', ['9000_newer.sql']],
  ['one on its second line alone', 'not understood', `\n-- works since ${NEWEST}`, ['9000_newer.sql']],
])('a newer file that works since %s is %s', async (_file, _outcome, line, notUnderstood) => {
  const { db, url } = await fresh()
  await addFile(`${line}\ncreate table newer ();`)
  await migrate(db, folder)
  expect(await schemaState(db, SQL)).toEqual({ missing: [], notUnderstood })
  const isAccepted = (outcome: Promise<unknown>) =>
    outcome.then(
      () => true,
      () => false,
    )
  const isUnderstood = notUnderstood.length === 0
  expect(await isAccepted(checkPrepared(url, 'refuse'))).toBe(isUnderstood)
  expect(await isAccepted(prepareDatabase(db, readConfig({})))).toBe(isUnderstood)
})

test('a database that lacks a file is refused with the command to migrate', async () => {
  const { db, url } = await fresh()
  await sql`delete from migration where name = ${FILES.at(-1)!}`.execute(db)
  for (const whenAway of ['refuse', 'wait'] as const) {
    await expect(checkPrepared(url, whenAway)).rejects.toThrow(
      new StartError(`The database is of an older Footfall (${FILES.at(-1)} is missing): run footfall migrate first.`),
    )
  }
})

test('a migration table without works_since is read and migrated', async () => {
  const { db } = await fresh()
  await sql`alter table migration drop column works_since`.execute(db)
  expect(await schemaState(db, SQL)).toEqual({ missing: [], notUnderstood: [] })
  // Without the column only the number of a file is known.
  await sql`insert into migration (name, sha256) values ('0000_dropped.sql', ''), ('9000_newer.sql', '')`.execute(db)
  expect(await schemaState(db, SQL)).toEqual({ missing: [], notUnderstood: ['9000_newer.sql'] })
  await sql`delete from migration where name = '9000_newer.sql'`.execute(db)
  await addFile(`-- works since ${NEWEST}`)
  expect(await migrate(db, folder)).toEqual(['9000_newer.sql'])
  expect(await schemaState(db, SQL)).toEqual({ missing: [], notUnderstood: [] })
})

async function urlsOfMistakes(): Promise<Record<string, string>> {
  const { url } = await fresh(createEmptyDatabase)
  const changed = (change: (url: URL) => void) => {
    const other = new URL(url)
    change(other)
    return other.href
  }
  return {
    unprepared: url,
    password: changed((other) => (other.password = 'wrong')),
    user: changed((other) => (other.username = `nobody_${randomBytes(4).toString('hex')}`)),
    database: changed((other) => (other.pathname = '/no_such_database')),
    away: changed((other) => (other.port = '1')),
  }
}

const REFUSED = 'PostgreSQL refuses the user, the password or the database of DATABASE_URL: change them.'

test.each([
  ['that nothing was migrated in', 'unprepared', 'The database is not prepared: run footfall migrate first.'],
  ['with a wrong password', 'password', REFUSED],
  ['with an unknown user', 'user', REFUSED],
  ['that does not exist', 'database', REFUSED],
  ['that is away', 'away', 'PostgreSQL does not answer at DATABASE_URL: start it, or change the address.'],
])('a database %s is refused with one sentence', async (_what, mistake, sentence) => {
  const url = (await urlsOfMistakes())[mistake]!
  await expect(checkPrepared(url, 'refuse')).rejects.toThrow(new StartError(sentence))
})

test('start waits for a database that is down, and not after it refused the connection', async () => {
  const urls = await urlsOfMistakes()
  await checkPrepared(urls['away']!, 'wait')
  for (const mistake of ['unprepared', 'password', 'user', 'database']) {
    await expect(checkPrepared(urls[mistake]!, 'wait')).rejects.toThrow(StartError)
  }
})

test('ratings that the previous release records during 0011 are all kept', async () => {
  const { db, url } = await fresh(createEmptyDatabase)
  const newer = FILES.filter((name) => name >= '0011')
  for (const name of newer) await rm(join(folder, name))
  await migrate(db, folder)
  await sql`select make_log_month('interaction', '2026-03-01')`.execute(db)
  const recorder = connect({ url, name: 'test', connectionsMax: 1 })
  onTestFinished(() => recorder.destroy())
  // As the previous release does: all three tables in one statement, in this order.
  const recordRating = () =>
    sql`
    with batch as (
      insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256)
      values (now(), now(), 200, gen_random_uuid()::text, '') returning batch_id
    ), inserted as (
      insert into interaction (occurred_at, batch_id, event_id, is_category, event_type, ref_id, session_id)
      select '2026-03-01', batch_id, gen_random_uuid(), false, 'rating_high', 'lamp', 's' from batch cross join generate_series(1, 200)
      returning 1
    ), rejected as (
      insert into rejected_interaction (batch_id, index, code, message, item) select batch_id, 0, '', '', '' from batch where false
    )
    select count(*) from inserted`.execute(recorder)
  for (let times = 0; times < 100; times++) await recordRating()
  let isOver = false
  const recording = (async () => {
    while (!isOver) await recordRating()
  })()
  await migrate(db, SQL)
  await recordRating()
  isOver = true
  await recording
  const { rows } = await sql<{ recorded: number; kept: number }>`
    select (select count(*) from interaction)::int as recorded, (select count(*) from product_rating)::int as kept`.execute(db)
  expect(rows[0]!.kept).toBe(rows[0]!.recorded)
})
