import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgresUrl } from '../../src/main/embedded/postgres.ts'
import { commandLineOf } from '../../src/main/embedded/process.ts'
import { until } from '../../src/main/embedded/until.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { leftBehind } from '../../src/store/log/backlog.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import { type Program, startProgram } from '../harness/programs/program.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import { settled } from '../harness/servers/stack.ts'

const EVENTS_AT_ONCE = 20

interface Event {
  event_id: string
  occurred_at: string
  account_id: string
  event_type: string
  ref_type: string
  ref_id: string
}

/** One shop, whose database is backed up, lost and restored. Each test goes on where the one before ended. */
describe('a shop with a backup and an archive of its log', () => {
  const folder = makeDataFolder('restore')
  const backups = join(folder, 'backups')
  const first = join(backups, 'first')
  const second = join(backups, 'second')
  const third = join(folder, 'third')
  const environment = { WAL_ARCHIVE: join(folder, 'wal'), WAL_ARCHIVE_SECONDS: '1' }
  /** The shop's own archive. */
  const sent: Event[] = []
  let program: Program
  let home: string

  beforeAll(async () => {
    await mkdir(backups)
    program = await startProgram(environment)
    home = program.environment['FOOTFALL_HOME']!
  }, 400_000)
  afterAll(async () => {
    await program.stop()
    await rm(folder, { recursive: true })
  }, 60_000)

  const footfall = (...args: string[]) => runCommandProcess(args, program.environment)

  async function send(count: number, accountId: string): Promise<void> {
    for (let n = 0; n < count; n += EVENTS_AT_ONCE) {
      const interactions = Array.from({ length: EVENTS_AT_ONCE }, (_, place) => ({
        event_id: randomUUID(),
        occurred_at: new Date().toISOString(),
        account_id: accountId,
        event_type: 'view',
        ref_type: 'Product',
        ref_id: `p${place % 5}`,
      }))
      sent.push(...interactions)
      const answer = await fetch(`${program.urlOf('GATEWAY_PORT')}/api/v1/analytic/interaction`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ interactions }),
      })
      if (!answer.ok) throw new Error(await answer.text())
    }
  }

  /** As when the machine loses power. */
  async function killDatabase(): Promise<void> {
    const [pid] = (await program.partsOf(join(home, 'postgres'))) as [number]
    await program.kill()
    process.kill(pid, 'SIGKILL')
    await until(async () => (await commandLineOf(pid)) === undefined, 10_000)
  }

  async function importAll(): Promise<void> {
    const file = join(folder, 'archive.jsonl')
    await writeFile(file, sent.map((event) => JSON.stringify(event)).join('\n'))
    const { code, output } = await footfall('import', file)
    if (code !== 0) throw new Error(output)
  }

  async function withDb<T>(work: (db: Database) => Promise<T>): Promise<T> {
    const password = readFileSync(join(home, 'postgres-password'), 'utf8')
    const db = connect({ url: postgresUrl({ port: Number(program.environment['POSTGRES_PORT']), password }), name: 'test' })
    try {
      return await work(db)
    } finally {
      await db.destroy()
    }
  }

  /**
   * What the sweeper does when a batch is five minutes old: Restate has counted or fed it, and this state of the database does not know of it.
   */
  async function sweep(db: Database): Promise<void> {
    for (const batch of await leftBehind(db, 0)) {
      if (batch.uncounted) await countBatch(db, batch)
      if (batch.unfed) await feedBatch(db, batch)
    }
  }

  /** How many of the sent events the log does not have, and how many it has that were not sent. */
  async function differences(): Promise<{ lost: number; doubled: number }> {
    return withDb(async (db) => {
      await sweep(db)
      await settled(db)
      const { rows } = await sql<{ id: string }>`select event_id as id from interaction`.execute(db)
      const recorded = new Set(rows.map(({ id }) => id))
      const lost = sent.filter((event) => !recorded.has(event.event_id)).length
      return { lost, doubled: rows.length - (sent.length - lost) }
    })
  }

  test('backed up under load, destroyed and restored from the archive of its log, it lacks only what its own archive brings back', async () => {
    await send(100, 'ada')
    let isTaken = false
    const loading = (async () => {
      while (!isTaken) await send(EVENTS_AT_ONCE, 'bob')
    })()
    const taken = await footfall('backup', first)
    isTaken = true
    await loading
    expect(taken).toMatchObject({ code: 0, output: expect.stringContaining('has all that was committed before') })
    await send(200, 'carl')
    await killDatabase()
    await rm(join(home, 'postgres'), { recursive: true, maxRetries: 10 })
    const restored = await footfall('restore', first, '--json')
    expect(restored.code).toBe(0)
    await program.start()
    expect((await differences()).doubled).toBe(0)
    await importAll()
    expect(await differences()).toEqual({ lost: 0, doubled: 0 })
    expect(await footfall('verify', '--against', join(first, 'manifest.json'))).toMatchObject({
      code: 0,
      output: expect.stringContaining('no cells differ'),
    })
  }, 400_000)

  test('restored to an instant beside a Restate that went on, it has what was committed by then, and erases again who was erased since', async () => {
    expect((await footfall('backup', second)).code).toBe(0)
    await send(40, 'dora')
    const instant = new Date().toISOString()
    await send(60, 'emil')
    const { code: erased } = await footfall('erase', 'account:ada', '--yes')
    expect(erased).toBe(0)
    expect((await footfall('backup', third)).code).toBe(0)
    await program.halt()
    await cp(join(home, 'restate'), join(folder, 'restate'), { recursive: true })
    expect(await footfall('restore', second)).toMatchObject({ code: 1, output: expect.stringContaining('add --move-old') })
    const restored = await footfall('restore', second, '--move-old', '--to', instant)
    expect(restored.output).toContain(`Restored to ${instant}`)
    expect(restored.output).toContain(
      '1 id of persons who were erased since is known as such again, and 1 erasure will be repeated',
    )
    expect(readdirSync(home).filter((name) => name.startsWith('postgres-before-'))).toHaveLength(1)
    await program.start()
    expect(await until(async () => program.output().includes('PostgreSQL is older than Restate: it lacks'), 60_000)).toBe(true)
    expect(await footfall('reconcile')).toMatchObject({ code: 1, output: expect.stringContaining('PostgreSQL lacks') })
    expect(await differences()).toEqual({ lost: 60, doubled: 0 })
    expect((await footfall('verify')).code).toBe(0)
    expect((await footfall('verify', '--against', join(second, 'manifest.json'))).code).toBe(0)
    expect(await footfall('verify', '--against', join(third, 'manifest.json'))).toMatchObject({
      code: 1,
      output: expect.stringMatching(/interaction of \d{4}-\d{2}: [\d,]+ rows, and there were [\d,]+ at/),
    })
    await importAll()
    expect(await differences()).toEqual({ lost: 0, doubled: 0 })
    const found = await footfall('verify', '--against', join(third, 'manifest.json'))
    expect(found.output).toContain('No month of the log has fewer rows')
    expect(found.code).toBe(0)
  }, 400_000)

  test('an older Restate, or an empty one, beside the newer PostgreSQL loses and doubles nothing', async () => {
    for (const older of [join(folder, 'restate'), undefined]) {
      await program.halt()
      await rm(join(home, 'restate'), { recursive: true })
      if (older !== undefined) await rename(older, join(home, 'restate'))
      await program.start()
      await send(40, 'fay')
      expect(await differences()).toEqual({ lost: 0, doubled: 0 })
      expect((await footfall('verify')).code).toBe(0)
    }
  }, 400_000)
})
