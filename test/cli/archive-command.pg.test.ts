import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, inject } from 'vitest'
import { archiveMetrics } from '../../services/archive/archive-metrics.ts'
import { archiveMonth } from '../../services/archive/archive-month.ts'
import { folderOf, MANIFEST, readManifest } from '../../services/archive/manifest.ts'
import { archiveCommand } from '../../src/cli/commands/archive.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import { readableArchive } from '../../src/external/readable-archive.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { pgTest } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { runCommand } from '../harness/programs/command.ts'
import { createDatabase } from '../harness/servers/database.ts'

const OLD_MS = Date.now() - 100 * DAY_MS
const MONTH = monthOf(OLD_MS)
const EVENTS = 12
const PART_ROWS = 5
const TABLE = `restored.interaction_${MONTH.replace('-', '_')}`
const NO_MONTH = '2001-02'

const test = pgTest
  .extend('base', { scope: 'file' }, async ({ db }, { onCleanup }) => {
    const base = await mkdtemp(join(tmpdir(), 'footfall-archive-'))
    onCleanup(() => rm(base, { recursive: true, force: true }))
    const store = createFolderArchive(join(base, 'first'))
    await makePartitions(db, [MONTH])
    const events = Array.from({ length: EVENTS }, (_, n) =>
      interaction({ accountId: `a${n % 3}`, userAgent: `Browser ${n}`, occurredAtMs: OLD_MS - n * 1_000 }),
    )
    await recordAndCount(db, events)
    await dropOldMonths(db, 32, (table, month) => archiveMonth({ db, store, partRows: PART_ROWS }, table, month))
    await upsert(db, [product({ seller_id: 'north' })])
    await archiveMetrics(db, store, Date.parse('2026-03-05T12:00:00.250Z'))
    return base
  })
  /** A copy of the archive, which a test may damage. */
  .extend('folder', async ({ base, task }) => {
    const folder = join(base, task.id)
    await cp(join(base, 'first'), folder, { recursive: true })
    return folder
  })
  .extend('run', async ({ db, database: { url }, folder }) => {
    await sql`drop table if exists ${sql.table(TABLE)}`.execute(db)
    return (...args: string[]) => runCommand(archiveCommand(), args, { DATABASE_URL: url, ARCHIVE: folder })
  })

const manifestIn = (folder: string) => join(folder, folderOf('interaction', MONTH), MANIFEST)
async function partIn(folder: string, n: number): Promise<string> {
  return join(folder, (await readManifest(createFolderArchive(folder), 'interaction', MONTH))!.parts[n]!.name)
}

test('list prints the archived months and the days of metrics', async ({ run }) => {
  const { code, text } = await run('list')
  expect(code).toBe(0)
  expect(text).toMatch(new RegExp(`'interaction' +│ '${MONTH}' │ 12 +│ 3 +│ 0 +│`))
  expect(text).toContain('Metrics of one day: the last is analytics/2026-03-05/2026-03-05T12-00-00.250Z.json.')
  const json = JSON.parse((await run('list', '--json')).text) as { months: unknown[]; metrics: unknown[] }
  expect(json.months).toMatchObject([
    { table: 'analytics_event', rows: 0 },
    { rows: EVENTS, counts: { view: EVENTS } },
    { rows: 0 },
  ])
  expect(json.metrics).toMatchObject([{ date: '2026-03-05' }])
})

test('an archive that was never written to is empty, and has no month to restore', async ({ run, base, database: { url } }) => {
  await run('list')
  const home = { DATABASE_URL: url, FOOTFALL_HOME: join(base, 'home') }
  const inHome = (...args: string[]) => runCommand(archiveCommand(), args, home)
  expect(await inHome('list')).toEqual({ code: 0, text: 'No month is archived.\nNo metrics are archived.\n' })
  expect(await inHome('verify')).toEqual({ code: 0, text: `No month is archived in ${join(base, 'home', 'archive')}.\n` })
  expect(await inHome('restore', NO_MONTH)).toEqual({
    code: 1,
    text: expect.stringContaining(`${NO_MONTH} is not archived in ${join(base, 'home', 'archive')}.`),
  })
})

test('a month is restored once, however often the command runs', async ({ db, run }) => {
  for (let times = 0; times < 2; times++) {
    expect(await run('restore', MONTH)).toMatchObject({ code: 0, text: expect.stringContaining(`${TABLE} has 12 rows.`) })
    const { rows } = await sql`select distinct account_id, count(user_agent)::int as agents from ${sql.table(TABLE)} group by 1
      order by 1`.execute(db)
    expect(rows).toEqual(['a0', 'a1', 'a2'].map((id) => ({ account_id: id, agents: 4 })))
  }
})

test('verify says that parts are as the manifest says, or which one is not', async ({ run, folder }) => {
  expect(await run('verify', MONTH)).toMatchObject({
    code: 0,
    text: expect.stringContaining(`interaction ${MONTH}: 12 rows, as the manifest says.`),
  })
  const part = await partIn(folder, 1)
  await appendFile(part, 'x')
  for (const args of [['verify'], ['verify', MONTH]]) {
    const { code, text } = await run(...args)
    expect([code, text]).toEqual([1, expect.stringMatching(/interaction .*part-00001-.* is damaged/)])
    // The other tables are read all the same.
    expect(text).toContain(`search ${MONTH}: 0 rows, as the manifest says.`)
  }
  await rm(part)
  expect(await run('verify')).toMatchObject({ code: 1, text: expect.stringContaining('part-00001') })
})

test('a damaged or a missing part ends a restore with a sentence, and is restored once it is back', async ({
  db,
  run,
  folder,
}) => {
  const part = await partIn(folder, 1)
  const good = await readFile(part)
  const damages: [() => Promise<void>, RegExp][] = [
    [
      () => writeFile(part, Buffer.concat([good.subarray(0, -9), Buffer.from([good.at(-9)! ^ 0xff]), good.subarray(-8)])),
      /part-00001-\S+ in .* is damaged/,
    ],
    [() => writeFile(part, good.subarray(0, 20)), /part-00001-\S+ in .* is damaged, and cannot be read/],
    [() => rm(part), /is missing in/],
  ]
  for (const [damage, sentence] of damages) {
    await damage()
    const { code, text } = await run('restore', MONTH)
    expect([code, text]).toEqual([1, expect.stringMatching(sentence)])
    // The part before it stays, and is not restored again.
    expect((await sql`select from ${sql.table(TABLE)}`.execute(db)).rows).toHaveLength(PART_ROWS)
  }
  await writeFile(part, good)
  expect(await run('restore', MONTH)).toMatchObject({ code: 0 })
  expect((await sql`select from ${sql.table(TABLE)}`.execute(db)).rows).toHaveLength(EVENTS)
})

test('a byte changed anywhere in a part ends a restore with the sentence that verify prints', async ({ run, folder }) => {
  const part = await partIn(folder, 1)
  const good = await readFile(part)
  const sentence = /^log\/interaction\/\S+\/part-00001-\S+ in \S+ is damaged, .*\.\n$/m
  const tried = 40
  for (let n = 0; n < tried; n++) {
    const damaged = Buffer.from(good)
    damaged[Math.floor((n * good.length) / tried)]! ^= 0xff
    await writeFile(part, damaged)
    const { code, text } = await run('restore', MONTH)
    expect([n, code, text]).toEqual([n, 1, expect.stringMatching(sentence)])
  }
  // A part in place of another, whose rows are there already.
  await cp(await partIn(folder, 0), part)
  expect(await run('restore', MONTH)).toEqual({ code: 1, text: expect.stringMatching(sentence) })
})

test('a manifest with another number of rows than its parts is refused', async ({ db, run, folder }) => {
  const path = manifestIn(folder)
  const good = JSON.parse(await readFile(path, 'utf8')) as { rows: number }
  await writeFile(path, JSON.stringify({ ...good, rows: good.rows + 1 }))
  const text = `the manifest of interaction ${MONTH} in ${folder} says 13 rows, and its parts have 12.\n`
  expect(await run('restore', MONTH)).toEqual({ code: 1, text: expect.stringContaining(text) })
  expect((await sql`select where to_regclass(${TABLE}) is not null`.execute(db)).rows).toEqual([])
  expect(await run('verify')).toMatchObject({ code: 1, text: expect.stringContaining('says 13 rows, and the parts have 12') })
})

test('a broken manifest hides no other month', async ({ run, folder }) => {
  const broken = join(folder, folderOf('analytics_event', '2020-01'))
  await mkdir(broken, { recursive: true })
  const name = `${folderOf('analytics_event', '2020-01')}${MANIFEST} in ${folder} is no manifest of analytics_event 2020-01`
  const good = JSON.parse(await readFile(manifestIn(folder), 'utf8')) as Record<string, unknown>
  for (const [content, reason] of [
    ['{', 'it is no JSON'],
    ['{}', 'version is missing'],
    ['[]', 'it must be an object'],
    [JSON.stringify({ ...good, version: 2 }), 'version is of a later release'],
    [JSON.stringify({ ...good, rows: 'x' }), 'rows must be a number'],
    [JSON.stringify(good), `it is of interaction ${MONTH}`],
  ] as const) {
    await writeFile(join(broken, MANIFEST), content)
    const sentence = `analytics_event 2020-01: ${name}: ${reason}.\n`
    const list = await run('list')
    expect(list).toEqual({ code: 1, text: expect.stringContaining(sentence) })
    expect(list.text).toContain(`'interaction'`)
    const verify = await run('verify')
    expect(verify).toEqual({ code: 1, text: expect.stringContaining(sentence) })
    expect(verify.text).toContain(`interaction ${MONTH}: 12 rows, as the manifest says.`)
    expect(await run('restore', '2020-01')).toEqual({ code: 1, text: `${name}: ${reason}.\n` })
  }
  expect(await run('restore', MONTH)).toMatchObject({ code: 0 })
  expect(await run('verify', MONTH)).toMatchObject({ code: 0 })
})

const COMMANDS = [['list'], ['verify'], ['restore', MONTH]]

test('an archive that cannot be used is one sentence, with the setting and the reason', async ({
  run,
  base,
  database: { url },
}) => {
  await run('list')
  const server = createServer((_, answer) => {
    answer.writeHead(404, { 'content-type': 'application/xml' })
    answer.end('<Error><Code>NoSuchBucket</Code><Message>The bucket does not exist</Message></Error>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    const keys = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' }
    const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true', HOME: base }
    const s3 = (at: number) => `s3://nosuchbucket/x?region=eu-central-1&endpoint=http://127.0.0.1:${at}`
    const missing = join(base, 'missing')
    for (const [ARCHIVE, place, reason, env] of [
      [s3(port), 's3://nosuchbucket/x/', 'there is no such bucket', keys],
      [s3(1), 's3://nosuchbucket/x/', 'its server refuses connections', { ...keys, AWS_MAX_ATTEMPTS: '1' }],
      [s3(port), 's3://nosuchbucket/x/', 'no credentials were found: set e.g. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY', none],
      [
        's3://nosuchbucket/x',
        's3://nosuchbucket/x/',
        'add ?region= to it, or set AWS_REGION',
        { ...keys, AWS_CONFIG_FILE: missing },
      ],
      ['/etc/hostname', '/etc/hostname', 'it is no folder (/etc/hostname)', {}],
      [missing, missing, 'there is no such folder, or it may not be read', {}],
    ] as const)
      for (const args of COMMANDS)
        expect(await runCommand(archiveCommand(), args, { DATABASE_URL: url, ARCHIVE, ...env })).toEqual({
          code: 1,
          text: `ARCHIVE (${place}) cannot be used: ${reason}.\n`,
        })
  } finally {
    server.close()
  }
}, 60_000)

test('a folder that may not be read is a sentence too', async () => {
  // The owner of the tests may be root, who may read everything.
  const denied = Object.assign(new Error("EACCES: permission denied, scandir '/x/log'"), { code: 'EACCES', path: '/x/log' })
  const fails = () => Promise.reject(denied)
  const store = readableArchive({
    ...createFolderArchive('/x'),
    read: fails,
    list: async function* () {
      yield await fails()
    },
  })
  const sentence = 'ARCHIVE (/x) cannot be used: the permission to read it is missing (/x/log)'
  await expect(store.list('')[Symbol.asyncIterator]().next()).rejects.toThrow(sentence)
  await expect(store.read('log/x')).rejects.toThrow(sentence)
})

test('a manifest that is none, is of another month or of a later release is refused', async ({ run, folder }) => {
  const path = manifestIn(folder)
  const good = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  for (const bad of [
    '',
    'no JSON',
    '{}',
    '[]',
    JSON.stringify({ ...good, month: '2001-01' }),
    JSON.stringify({ ...good, version: 2 }),
  ]) {
    await writeFile(path, bad)
    for (const args of [['list'], ['verify'], ['restore', MONTH]]) {
      const { code, text } = await run(...args)
      expect([code, text]).toEqual([
        1,
        expect.stringContaining(`${MANIFEST} in ${folder} is no manifest of interaction ${MONTH}`),
      ])
    }
  }
})

test('a month of another database is restored without its shoppers, when that is asked for', async ({ run, folder }) => {
  await run('list')
  const { db, url, drop } = await createDatabase(inject('postgresUrl'))
  try {
    await sql`update archive_identity set archive_id = gen_random_uuid()`.execute(db)
    const runThere = (...args: string[]) => runCommand(archiveCommand(), args, { DATABASE_URL: url, ARCHIVE: folder })
    expect(await runThere('restore', MONTH)).toMatchObject({
      code: 1,
      text: expect.stringContaining('was archived by another database, which has the keys of its shoppers: --foreign'),
    })
    expect((await sql`select from restored_month`.execute(db)).rows).toEqual([])
    expect(await runThere('restore', MONTH, '--foreign')).toMatchObject({ code: 0 })
    const { rows } = await sql`
      select count(*)::int as rows, count(distinct account_id)::int as shoppers, count(user_agent)::int as agents
      from ${sql.table(TABLE)} where account_id ~ '^erased-'`.execute(db)
    expect(rows).toEqual([{ rows: EVENTS, shoppers: 3, agents: 0 }])
    await makePartitions(db, [MONTH])
    const store = createFolderArchive(folder)
    await expect(archiveMonth({ db, store }, 'interaction', MONTH)).rejects.toThrow('another database has archived')
  } finally {
    await drop()
  }
})

test('what is no month, and what is no archive, is one sentence', async ({ run, database: { url } }) => {
  for (const month of ['2026', '2026-13', '2026-1', '202601', '../x'])
    expect(await run('restore', month)).toMatchObject({
      code: 2,
      text: expect.stringContaining('must be a month such as 2026-01'),
    })
  expect(await run('restore')).toMatchObject({ code: 2 })
  expect(await run('restore', NO_MONTH)).toMatchObject({ code: 1, text: expect.stringContaining(`${NO_MONTH} is not archived`) })
  expect(await run('verify', NO_MONTH)).toMatchObject({ code: 1, text: expect.stringContaining(`${NO_MONTH} is not archived`) })
  const at = (place: string) =>
    runCommand(archiveCommand(), ['list'], {
      ...{ DATABASE_URL: url, ARCHIVE: place },
      ...{ AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x', AWS_MAX_ATTEMPTS: '1' },
    })
  expect(await at('/dev/null')).toMatchObject({
    code: 1,
    text: 'ARCHIVE (/dev/null) cannot be used: it is no folder (/dev/null).\n',
  })
  expect(await at('http://example.com/x')).toMatchObject({
    code: 1,
    text: expect.stringContaining('must be a folder, or an address'),
  })
  expect(await at('s3://bucket/x?region=eu-central-1&endpoint=http://127.0.0.1:1')).toMatchObject({
    code: 1,
    text: expect.stringContaining('ARCHIVE (s3://bucket/x/) cannot be used: its server refuses connections'),
  })
})
