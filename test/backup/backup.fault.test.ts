import { existsSync, readdirSync } from 'node:fs'
import { copyFile, open, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Manifest } from '../../src/cli/backup/manifest.ts'
import { stopProcess } from '../../src/main/embedded/process.ts'
import { until } from '../../src/main/embedded/until.ts'
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

  test('a user without REPLICATION is told what it lacks', async () => {
    await sql`create role reader login password 'reader'`.execute(server.database.db)
    await sql`grant pg_read_all_data to reader`.execute(server.database.db)
    const url = new URL(server.database.url)
    url.username = url.password = 'reader'
    const { code, text } = await server.backup([inFolder('four')], url.href)
    expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining('may not copy the database') })
    await sql`drop role reader`.execute(server.database.db)
  })
})
