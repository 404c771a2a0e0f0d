import { execFileSync } from 'node:child_process'
import { existsSync, openSync, readdirSync } from 'node:fs'
import { copyFile, mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Manifest } from '../../src/cli/backup/manifest.ts'
import { restoreCommand } from '../../src/cli/commands/restore.ts'
import { freePorts } from '../../src/main/embedded/ports.ts'
import { startPostgres } from '../../src/main/embedded/postgres.ts'
import { postgresAccount } from '../../src/main/embedded/postgres-account.ts'
import { stopProcess } from '../../src/main/embedded/process.ts'
import { until } from '../../src/main/embedded/until.ts'
import { createApiKey, revokeApiKey } from '../../src/store/access/api-key.ts'
import { runCommand } from '../harness/programs/command.ts'
import { startCommandProcess } from '../harness/programs/command-process.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'
import { type BackupServer, recordSome, startBackupServer } from './backup-server.ts'

describe('footfall backup', () => {
  let server: BackupServer
  beforeAll(async () => {
    server = await startBackupServer()
    await recordSome(server, 50)
    // So large that a backup takes long enough to be broken in the middle.
    await sql`create table ballast as select array_to_string(array(select md5((n * 1000 + i)::text) from generate_series(1, 200) i), '') as text from generate_series(1, 12000) n`.execute(
      server.database.db,
    )
  }, 120_000)
  afterAll(() => server.stop(), 60_000)

  const backup = (...args: string[]) => server.backup(args)
  const inFolder = (name: string) => join(server.folder, name)

  /** A backup that stops in the middle, because nothing more comes through. */
  async function startHeld(name: string) {
    const proxy = await startTcpProxy(server.database.url)
    const running = startCommandProcess(['backup', inFolder(name)], { DATABASE_URL: proxy.url })
    expect(await until(async () => existsSync(inFolder(`${name}.partial/base.tar`)), 20_000)).toBe(true)
    proxy.hold()
    return { running, proxy }
  }

  test('copies a database that is written to, counts what it has at least, and passes its check', async () => {
    let isDone = false
    const writing = (async () => {
      while (!isDone) await recordSome(server, 20)
    })()
    const { code, text } = await backup(inFolder('one'), '--json')
    isDone = true
    await writing
    expect(code).toBe(0)
    const manifest = Manifest.parse(JSON.parse(text))
    const months = Object.values(manifest.log['interaction']!)
    expect(months.reduce((sum, rows) => sum + rows, 0)).toBeGreaterThanOrEqual(50)
    expect(manifest).toMatchObject({ postgresql: expect.stringMatching(/^18\./), start: { timeline: 1 }, stop: { timeline: 1 } })
    expect(Number(manifest.last_batch)).toBeGreaterThanOrEqual(1)
    expect(readdirSync(server.folder)).toEqual(['one'])
    expect(await backup('--check', inFolder('one'))).toMatchObject({ code: 0, text: expect.stringContaining('is whole') })
    expect(await backup(inFolder('one'))).toEqual({
      code: 1,
      text: `${inFolder('one')} is not empty: a backup needs a new folder.\n`,
    })
    const { rows } = await sql`select from pg_replication_slots`.execute(server.database.db)
    expect(rows).toEqual([])
  })

  test('a changed byte, a cut and a missing file are told, each in a sentence', async () => {
    const base = inFolder('one/base.tar')
    await copyFile(base, `${base}.whole`)
    const file = await open(base, 'r+')
    await file.write('x', 30_000_000)
    await file.close()
    const check = () => backup('--check', inFolder('one'))
    expect(await check()).toEqual({ code: 1, text: `${base} is damaged: its checksum differs.\n` })
    await truncate(base, 30_000_000)
    expect((await check()).text).toMatch(/has 30000000 bytes, and \d+ were written/)
    await copyFile(`${base}.whole`, base)
    expect((await check()).code).toBe(0)
    const list = await readFile(inFolder('one/backup_manifest'), 'utf8')
    const changed = await open(inFolder('one/backup_manifest'), 'r+')
    await changed.write(list.replace(/"Checksum": "./, '"Checksum": "g'))
    await changed.close()
    expect((await check()).text).toContain('it is not the list that PostgreSQL sent')
    expect(await backup('--check', server.folder)).toEqual({
      code: 1,
      text: `${server.folder} is no whole backup: it has no manifest.json.\n`,
    })
  })

  test('killed in the middle it leaves nothing that looks like a backup, and the next one takes its place', async () => {
    const { running: killed, proxy } = await startHeld('two')
    const beside = await backup(inFolder('two'))
    expect(beside).toMatchObject({ code: 1, text: expect.stringContaining('Another backup (process') })
    await stopProcess(killed.child, 'SIGKILL')
    await proxy.cut()
    expect(existsSync(inFolder('two'))).toBe(false)
    expect((await backup('--check', inFolder('two.partial'))).text).toContain('is no whole backup')
    expect((await backup(inFolder('two'))).code).toBe(0)
    expect((await backup('--check', inFolder('two'))).code).toBe(0)
    expect(existsSync(inFolder('two.partial'))).toBe(false)
  })

  test('restored by other means beside a newer list, keys are revoked again, made ones are named, and numbers of batches go on later', async () => {
    const { db } = server.database
    const key = { scopes: ['read'], isPublishable: false, origins: [], sellerId: null, requestsPerMinute: null } as const
    const revoked = await createApiKey(db, { ...key, name: 'revoked later' })
    expect((await backup(inFolder('five'))).code).toBe(0)
    await revokeApiKey(db, revoked.keyId)
    const lost = await createApiKey(db, { ...key, name: 'made later' })
    expect((await backup('--lists-only', inFolder('lists.json'))).text).toMatch(/has \d+ keys and 0 ids of erased persons/)
    const restored = await startUnpacked(inFolder('five'))
    const args = [inFolder('five'), '--restored', '--json', '--lists', inFolder('lists.json')]
    const { code, text } = await runCommand(restoreCommand(), args, { DATABASE_URL: restored.url })
    await restored.stop()
    expect(code).toBe(0)
    expect(JSON.parse(text)).toMatchObject({
      timeline: 2,
      newer_lists: [inFolder('lists.json')],
      revoked_again: [{ key_id: revoked.keyId, name: 'revoked later' }],
      lost_keys: [{ key_id: lost.keyId, name: 'made later' }],
    })
  })

  /** The database of a backup, unpacked by tar and replayed as docs/backup.md says. */
  async function startUnpacked(taken: string): Promise<{ url: string; stop: () => Promise<void> }> {
    const folder = inFolder('unpacked')
    await mkdir(folder, { mode: 0o700 })
    execFileSync('tar', ['-xf', join(taken, 'base.tar'), '-C', folder, '--no-same-owner'])
    await writeFile(join(folder, 'recovery.signal'), '')
    await (
      await postgresAccount([folder])
    ).takeOwnership(readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name))))
    await (await postgresAccount([folder])).takeOwnership([folder])
    const [port] = (await freePorts(1)) as [number]
    const log = openSync(inFolder('unpacked.log'), 'a')
    const settings = { fsync: 'off', restore_command: 'false', hot_standby: 'off' }
    const child = await startPostgres({ folder, port, password: 'test', log, settings })
    const url = new URL(server.database.url)
    url.port = String(port)
    return { url: url.href, stop: () => stopProcess(child, 'SIGINT') }
  }

  test('Ctrl-C and a lost connection remove what was begun', async () => {
    const interrupted = await startHeld('three')
    interrupted.running.child.kill('SIGINT')
    expect(await interrupted.running.ended).toBe(130)
    expect(interrupted.running.output()).toBe('No backup was taken.\n')
    await interrupted.proxy.cut()
    const { running: lost, proxy } = await startHeld('three')
    await proxy.cut()
    expect(await lost.ended).toBe(1)
    expect(lost.output()).toMatch(/^The connection to PostgreSQL was lost \(.*\), so no backup was taken: take it again\.\n$/)
    expect(readdirSync(server.folder).filter((name) => name.startsWith('three'))).toEqual([])
  })

  test.skipIf(process.getuid?.() !== 0)('a full disk is told, and nothing is left on it', async () => {
    const disk = inFolder('disk')
    await mkdir(disk)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', disk], { stdio: 'ignore' })
    } catch {
      return console.log('The test of a full disk is skipped, because this user may not mount one.')
    }
    const { code, text } = await backup(join(disk, 'one'))
    const left = readdirSync(disk)
    execFileSync('umount', [disk])
    expect({ code, text, left }).toEqual({
      code: 1,
      text: expect.stringMatching(/^The disk of .* is full, so no backup was taken/),
      left: [],
    })
  })

  test('a user without REPLICATION is told what it lacks, and with it needs no other right than to read', async () => {
    await sql`create role reader login password 'reader'`.execute(server.database.db)
    await sql`grant pg_read_all_data to reader`.execute(server.database.db)
    const url = new URL(server.database.url)
    url.username = url.password = 'reader'
    const { code, text } = await server.backup([inFolder('four')], url.href)
    expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining('may not copy the database') })
    await sql`alter role reader replication`.execute(server.database.db)
    expect((await server.backup([inFolder('four')], url.href)).code).toBe(0)
    await sql`drop role reader`.execute(server.database.db)
  })
})
