import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { postgresUrl, startPostgres } from '../../../src/main/embedded/postgres.ts'
import { exitOf, isProcessGone, stopProcess } from '../../../src/main/embedded/process.ts'
import { until } from '../../../src/main/embedded/until.ts'
import { connect, type Queryable } from '../../../src/store/database/connection.ts'
import { onlyRow } from '../../../src/store/database/rows.ts'
import { copyDataFolder } from './base-copy.ts'
import { makeDataFolder, removeFoldersOfDeadRuns } from './data-folder.ts'
import { startTcpProxy } from './tcp-proxy.ts'

/*
 * PostgreSQL servers of their own, which tests kill, cut off and promote:
 *
 *   const primary = await startPrimary()
 *   const standby = await startStandby(primary, { synchronousName: 's1' })
 *   await prepareDatabase(primary.url, 'footfall')
 *   await standby.stopReceiver()      // what is written from now on does not reach the standby
 *   await primary.kill()
 *   await standby.promote()           // `standby` is now a primary; startStandby(standby) gives it a standby
 *
 * Every server that a test starts is removed by the test: `onCleanup(primary.remove)`.
 */

export interface TestServer {
  /** The database `postgres`, for its superuser. */
  url: string
  folder: string
  port: number
  /** Of its first process. */
  pid: () => number
  /** SIGKILL to all of its processes, as when the machine loses power. The data folder stays. */
  kill: () => Promise<void>
  /** Stops it as an operator does; a standby has received all by then. The data folder stays. */
  stop: () => Promise<void>
  /** Starts it again on its data folder and port. */
  start: () => Promise<void>
  /** Kills it and removes its data folder. */
  remove: () => Promise<void>
  /** Executes statements as superuser, on a connection of their own. */
  execute: <T>(work: (db: Queryable) => Promise<T>) => Promise<T>
  /** Sets settings that need no restart: `synchronous_standby_names`, for example. */
  configure: (settings: Record<string, string>) => Promise<void>
  timeline: () => Promise<number>
}

export interface Standby extends TestServer {
  /** Cuts it off from its primary, until `resumeReceiver`. */
  stopReceiver: () => Promise<void>
  resumeReceiver: () => Promise<void>
  /** Makes it writable, on a new timeline. Its slot and `synchronousName` at the old primary stay. */
  promote: () => Promise<void>
  /** Waits until it has replayed everything that its primary has written by now. */
  waitUntilCaughtUp: () => Promise<void>
}

export interface StandbyOptions {
  /** Its name for `synchronous_standby_names`. The primary waits for it only after `primary.configure({ synchronous_standby_names })`. */
  synchronousName?: string
  settings?: Record<string, string>
  /** Makes the folder of its data. */
  makeFolder?: (name: string) => string
}

const PASSWORD = 'test'
/** The processes are killed, never the machine: what was written is in the memory of the system. */
const SETTINGS = { fsync: 'off', wal_log_hints: 'on', max_slot_wal_keep_size: '1GB' }
/** How soon a standby tries again to reach its primary. */
const RETRY = { wal_retrieve_retry_interval: '100ms' }
const WAIT_MS_MAX = 30_000

/** A primary with an empty database, from which standbys can stream. `makeFolder` makes the folder of its data. */
export async function startPrimary(settings: Record<string, string> = {}, makeFolder = makeDataFolder): Promise<TestServer> {
  removeFoldersOfDeadRuns()
  const server = await serverOn(makeFolder('primary'), settings)
  await server.start()
  return server
}

/** A streaming standby of a running server, which may be a promoted standby. */
export async function startStandby(primary: TestServer, options: StandbyOptions = {}): Promise<Standby> {
  const home = (options.makeFolder ?? makeDataFolder)('standby')
  const server = await serverOn(home, { ...RETRY, ...options.settings })
  const proxy = await startTcpProxy(primary.url)
  // A standby whose receiver is cut finds the log again at the primary, because its slot keeps it.
  const slot = `standby_${server.port}`
  await primary.execute((db) => sql`select pg_create_physical_replication_slot(${slot}, true)`.execute(db))
  await copyDataFolder(primary.url, primary.folder, server.folder)
  const { port } = new URL(proxy.url)
  const source = `host=127.0.0.1 port=${port} user=postgres password=${PASSWORD} application_name=${options.synchronousName ?? slot}`
  await writeFile(join(server.folder, 'standby.signal'), '')
  // Replaces the settings of `configure`, because a promoted standby must not wait for the standbys of its primary.
  await writeFile(join(server.folder, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\nprimary_slot_name = '${slot}'\n`)
  await server.start()
  return {
    ...server,
    remove: async () => {
      await server.remove()
      await proxy.cut().catch(() => undefined)
    },
    stopReceiver: async () => {
      await proxy.cut()
      await waitFor(async () => !(await hasReceiver(server)), 'the receiver did not stop')
    },
    resumeReceiver: async () => {
      await proxy.mend()
      await waitFor(() => hasReceiver(server), 'the receiver did not start')
    },
    promote: async () => {
      await server.execute((db) => sql`select pg_promote(true, 30)`.execute(db))
    },
    waitUntilCaughtUp: async () => {
      const lsn = await primary.execute(currentLsn)
      await waitFor(() => server.execute((db) => hasReplayed(db, lsn)), `the standby did not replay ${lsn}`)
    },
  }
}

/** A server that is not started yet, on a folder of its own and a free port. */
async function serverOn(home: string, settings: Record<string, string>): Promise<TestServer> {
  const [port] = (await freePorts(1)) as [number]
  const folder = join(home, 'postgres')
  const url = postgresUrl({ port, password: PASSWORD })
  let child: ChildProcess | undefined
  const kill = async () => {
    if (child !== undefined) await killAll(child)
  }
  const execute: TestServer['execute'] = async (work) => {
    const db = connect({ url, name: 'test', connectionsMax: 1 })
    try {
      return await work(db)
    } finally {
      await db.destroy()
    }
  }
  return {
    ...{ url, folder, port, kill, execute },
    pid: () => child!.pid!,
    start: async () => {
      const log = openSync(join(home, 'postgres.log'), 'a')
      child = await startPostgres({ folder, port, password: PASSWORD, log, settings: { ...SETTINGS, ...settings } })
      closeSync(log)
    },
    stop: async () => {
      if (child !== undefined) await stopProcess(child, 'SIGINT')
    },
    remove: async () => {
      await kill()
      await rm(home, { recursive: true, force: true })
    },
    configure: (changes) =>
      execute(async (db) => {
        for (const [name, value] of Object.entries(changes))
          await sql`alter system set ${sql.id(name)} = ${sql.lit(value)}`.execute(db)
        await sql`select pg_reload_conf()`.execute(db)
      }),
    timeline: () => execute(timelineOf),
  }
}

/** The backends of a killed postmaster would end their statements first, so they are killed too. */
async function killAll(postmaster: ChildProcess): Promise<void> {
  if (isProcessGone(postmaster)) return
  const { pid } = postmaster
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const exit = exitOf(postmaster)
  for (const id of [pid!, ...children.split(' ').filter(Boolean).map(Number)]) {
    try {
      process.kill(id, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  await exit
}

async function currentLsn(db: Queryable): Promise<string> {
  return onlyRow(await sql<{ lsn: string }>`select pg_current_wal_lsn()::text as lsn`.execute(db)).lsn
}

async function hasReplayed(db: Queryable, lsn: string): Promise<boolean> {
  const result = await sql<{ is: boolean }>`select pg_last_wal_replay_lsn() >= ${lsn}::pg_lsn as is`.execute(db)
  return onlyRow(result).is
}

/** After a promotion the control file has the timeline of the last checkpoint; the name of a log file has the current one. */
async function timelineOf(db: Queryable): Promise<number> {
  const result = await sql<{ timeline: string }>`
    select case when pg_is_in_recovery() then to_hex(timeline_id) else left(pg_walfile_name(pg_current_wal_lsn()), 8) end as timeline
    from pg_control_checkpoint()`.execute(db)
  return Number.parseInt(onlyRow(result).timeline, 16)
}

async function hasReceiver(server: TestServer): Promise<boolean> {
  const { rows } = await server.execute((db) => sql`select from pg_stat_wal_receiver where status = 'streaming'`.execute(db))
  return rows.length > 0
}

async function waitFor(isTrue: () => Promise<boolean>, otherwise: string): Promise<void> {
  if (!(await until(isTrue, WAIT_MS_MAX))) throw new Error(`${otherwise} within ${WAIT_MS_MAX} ms`)
}
