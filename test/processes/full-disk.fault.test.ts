import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { numberedText } from '../../src/cli/terminal/count.ts'
import { freePorts } from '../../src/main/embedded/ports.ts'
import { postgresUrl } from '../../src/main/embedded/postgres.ts'
import { stopProcess } from '../../src/main/embedded/process.ts'
import { until } from '../../src/main/embedded/until.ts'
import { connect } from '../../src/store/database/connection.ts'
import { type CommandProcess, runCommandProcess, startCommandProcess } from '../harness/programs/command-process.ts'

const PORTS = [
  ...['GATEWAY_PORT', 'RESTATE_INGRESS_PORT', 'RESTATE_ADMIN_PORT', 'RESTATE_NODE_PORT', 'ENDPOINT_PORT'],
  ...['ENDPOINT_METRICS_PORT', 'POSTGRES_PORT'],
]
const DISK_MIB = 700

/** A small disk of its own, where the user may mount one; undefined otherwise. */
function mountDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m,mode=755`, 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    rmSync(folder, { recursive: true })
    return undefined
  }
}

const disk = mountDisk()
if (disk === undefined) console.log('The tests of a full disk are skipped, because this user may not mount one.')

describe.skipIf(disk === undefined)('npm start on a disk that becomes full', () => {
  const home = join(disk ?? '', 'home')
  let environment: Record<string, string>
  let footfall: CommandProcess
  beforeAll(async () => {
    const ports = await freePorts(PORTS.length)
    environment = { FOOTFALL_HOME: home, ...Object.fromEntries(PORTS.map((name, n) => [name, String(ports[n])])) }
    footfall = startCommandProcess(['start'], environment)
    await until(async () => footfall.output().includes('Footfall is ready'), 60_000)
  }, 120_000)
  afterAll(async () => {
    await stopProcess(footfall.child, 'SIGTERM', 30_000)
    execFileSync('umount', [disk!])
    rmSync(disk!, { recursive: true })
  }, 60_000)

  /** Sends events that have ids, so that they may be sent again. @returns the status of the answer. */
  async function send(interactions: readonly object[]): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${environment['GATEWAY_PORT']}/api/v1/analytic/interaction`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ interactions }),
    })
    await answer.arrayBuffer()
    return answer.status
  }

  const eventsOf = (count: number) =>
    Array.from({ length: count }, () => ({
      ...{ event_id: randomUUID(), occurred_at: new Date().toISOString(), session_id: 's', event_type: 'view' },
      ...{ ref_type: 'Product', ref_id: randomUUID(), metadata: { text: 'x'.repeat(1_000) } },
    }))

  const countOf = (text: string) => footfall.output().split(text).length - 1
  const verified = async () => (await runCommandProcess(['verify'], environment)).output

  test('an error of PostgreSQL about its disk is on the console once', { timeout: 120_000 }, async () => {
    const port = Number(environment['POSTGRES_PORT'])
    const url = postgresUrl({ port, password: readFileSync(join(home, 'postgres-password'), 'utf8') })
    const db = connect({ url, name: 'test' })
    await sql`
      create function fail() returns trigger language plpgsql
      as $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$`.execute(db)
    await sql`create trigger full_disk before insert on interaction_batch execute function fail()`.execute(db)
    const events = eventsOf(1)
    expect(await send(events)).toBe(503)
    await sql`drop trigger full_disk on interaction_batch`.execute(db)
    await db.destroy()
    expect(await until(async () => (await send(events)) === 200, 60_000)).toBe(true)
    expect(countOf('The disk of PostgreSQL is full')).toBe(1)
    expect(countOf('ended')).toBe(0)
  })

  test('it says so once, answers 503, and goes on when there is space, without loss', { timeout: 300_000 }, async () => {
    const { bavail, bsize } = statfsSync(disk!)
    const filler = join(disk!, 'filler')
    execFileSync('fallocate', ['--length', String(bavail * bsize - 1024 * 1024), filler])
    expect(await until(async () => footfall.output().includes(`The disk of ${home} is full`), 10_000)).toBe(true)
    const sent: object[][] = []
    expect(
      await until(async () => {
        sent.push(eventsOf(4_000))
        return (await send(sent.at(-1)!)) === 503
      }, 120_000),
    ).toBe(true)
    rmSync(filler)
    expect(await until(async () => footfall.output().includes('Restate runs again'), 60_000)).toBe(true)
    for (const events of sent) expect(await until(async () => (await send(events)) === 200, 60_000)).toBe(true)
    const total = numberedText(1 + sent.length * 4_000, 'event')
    expect(await until(async () => (await verified()).includes(`${total} in the log, no cells differ`), 60_000)).toBe(true)
    expect(countOf(`The disk of ${home} is full`)).toBe(1)
    expect(countOf(`The disk of ${home} has space again`)).toBe(1)
  })
})
