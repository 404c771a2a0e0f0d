import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isAnswering } from '../store/database/is-answering.ts'
import { addressesOf, adminUrlOf } from './config/addresses.ts'
import { CHECKOUT } from './config/checkout.ts'
import type { Config } from './config/config.ts'
import { StartError } from './config/start-error.ts'
import { awayProblem } from './database/away-problem.ts'
import {
  erasureKeyFileOf,
  logFolderOf,
  passwordFileOf,
  paymentSecretFileOf,
  postgresFolderOf,
  processesFileOf,
  restateFolderOf,
} from './database/home-paths.ts'
import { refuseConcurrentCommand } from './database/claim-home.ts'
import { databaseUrlOf } from './database/database-url.ts'
import { openLogFile } from './embedded/log-file.ts'
import { rotateLogs } from './embedded/log-rotation.ts'
import { type DiskWatchOptions, watchDisks } from './embedded/disk-space.ts'
import { endLeftoverPostgres, startPostgres } from './embedded/postgres.ts'
import { loadSettings, machineOf } from './embedded/postgres-settings.ts'
import { isRestateUp, startRestate } from './embedded/restate.ts'
import { storedSecret } from './embedded/stored-secret.ts'
import { clearPidFile, createSupervisor, type Supervisor } from './embedded/supervisor.ts'
import { makeWalArchive, walArchiveSettings } from './embedded/wal-archive.ts'
import { nodeProcess } from './node-process.ts'
import { checkPorts, makeHome, refuseUnfinishedRestore } from './start-checks.ts'
import type { Preparation } from './preparation.ts'
import { restateTracing } from './tracing/start.ts'

export interface StartOptions {
  preparation: Preparation
  print: (line: string) => void
}

export interface Running {
  logFolder: string
  /** Resolves when all processes serve. */
  ready: Promise<void>
  /** Stops all processes, including starting ones. */
  stop: () => Promise<void>
  kill: () => void
}

const POSTGRESQL = 'PostgreSQL'
const RESTATE = 'Restate'

/**
 * Checks the environment, then starts all processes in order and keeps them running. This process imports no schema, query builder or
 * server, because it keeps for as long as it runs what it imports; `preparation` does what needs them, and is ended when all is ready.
 */
export async function startEverything(config: Config, { preparation, print }: StartOptions): Promise<Running> {
  const pidFile = processesFileOf(config)
  adminUrlOf(config)
  await makeHome(config)
  await clearPidFile(pidFile, 'footfall.js')
  await refuseConcurrentCommand(config)
  await endLeftoverPostgres(postgresFolderOf(config))
  await checkPorts(config)
  const supervisor = createSupervisor(pidFile, print)
  const stopRotating = rotateLogs(logFolderOf(config), config.LOG_MIB_MAX * 1024 * 1024)
  const stopWatching = watchDisks({ ...diskPlacesOf(config), print, onSpace: (writers) => writeAgain(supervisor, writers) })
  const stopWatchingArchive = await watchArchive(config, print)
  const stop = async () => {
    preparation.end()
    await supervisor.stop()
    stopRotating()
    stopWatching()
    stopWatchingArchive()
  }
  return {
    logFolder: logFolderOf(config),
    ready: bringUp(config, supervisor, { preparation, print }),
    stop,
    kill: supervisor.kill,
  }
}

async function watchArchive(config: Config, print: (line: string) => void): Promise<() => void> {
  if (config.DATABASE_URL !== undefined || config.WAL_ARCHIVE === undefined) return () => undefined
  const { watchArchiving } = await import('./embedded/watch-archiving.ts')
  return watchArchiving(config.WAL_ARCHIVE, () => databaseUrlOf(config), print)
}

/** Restate stays out of work after its disk was full, until it is started again. PostgreSQL ends by itself, and then starts again. */
function writeAgain(supervisor: Supervisor, writers: readonly string[]): void {
  if (writers.includes(RESTATE)) supervisor.restart(RESTATE)
}

function diskPlacesOf(config: Config): Pick<DiskWatchOptions, 'home' | 'places'> {
  const places = [{ folder: logFolderOf(config), writer: 'the logs' }]
  if (config.RESTATE_INGRESS_URL === undefined) places.unshift({ folder: restateFolderOf(config), writer: RESTATE })
  if (config.DATABASE_URL === undefined) places.unshift({ folder: postgresFolderOf(config), writer: POSTGRESQL })
  return { home: config.FOOTFALL_HOME, places }
}

async function bringUp(config: Config, supervisor: Supervisor, { preparation, print }: StartOptions): Promise<void> {
  if (config.PAYMENT_SECRET_FILE === undefined) await storedSecret(paymentSecretFileOf(config), newSecret)
  if (config.ERASURE_KEY_FILE === undefined) await storedSecret(erasureKeyFileOf(config), newSecret)
  await Promise.all([bringUpPostgres(config, supervisor, preparation), bringUpRestate(config, supervisor, print)])
  await Promise.all([
    supervisor
      .keep(nodeProcess('endpoint', config, { log: openLog(config, 'endpoint'), print }))
      .then(() => preparation.run('registerServices', config)),
    supervisor.keep(nodeProcess('gateway', config, { log: openLog(config, 'gateway'), print })),
    ...(config.KAFKA_BROKERS === undefined
      ? []
      : [supervisor.keep(nodeProcess('consumer', config, { log: openLog(config, 'consumer'), print }))]),
  ])
  void tellLostCalls(config, { preparation, print })
}

/** Nothing waits for it, and without an answer ./footfall reconcile says the same. */
async function tellLostCalls(config: Config, { preparation, print }: StartOptions): Promise<void> {
  const notice = await preparation.run('lostCallsNotice', config).catch(() => undefined)
  preparation.end()
  if (notice !== undefined) print(notice)
}

async function bringUpPostgres(config: Config, supervisor: Supervisor, preparation: Preparation): Promise<void> {
  if (config.DATABASE_URL === undefined) {
    const folder = postgresFolderOf(config)
    refuseUnfinishedRestore(config)
    if (config.WAL_ARCHIVE !== undefined) await makeWalArchive(config.WAL_ARCHIVE)
    const password = await storedSecret(passwordFileOf(config), newSecret)
    const log = openLog(config, 'postgres')
    // One pool of each process of the gateway, two of each of the endpoint, and 20 connections for the consumer, metrics, commands and operators.
    const pools = config.GATEWAY_PROCESSES + 2 * config.ENDPOINT_PROCESSES
    // Each process of the gateway has one for keys, and one that cancels statements.
    const others = 20 + 2 * (config.GATEWAY_PROCESSES - 1)
    const settings = {
      ...loadSettings(await machineOf(config.FOOTFALL_HOME)),
      max_connections: String(pools * config.DATABASE_CONNECTIONS + others),
      ...walArchiveSettings(config),
    }
    await supervisor.keep({
      name: POSTGRESQL,
      start: (onSpawn) => startPostgres({ folder, port: config.POSTGRES_PORT, password, log, settings }, onSpawn),
      stopSignal: 'SIGINT',
      mark: folder,
    })
  } else if (!(await isAnswering(config.DATABASE_URL))) {
    throw new StartError(awayProblem(config.DATABASE_URL))
  }
  await preparation.run('prepareDatabase', config)
}

async function bringUpRestate(config: Config, supervisor: Supervisor, print: (line: string) => void): Promise<void> {
  const { ingressUrl } = addressesOf(config)
  const adminUrl = adminUrlOf(config)
  if (config.RESTATE_INGRESS_URL !== undefined) {
    if (await isRestateUp({ ingress: ingressUrl, admin: adminUrl })) return
    throw new StartError(
      'Restate does not answer at RESTATE_INGRESS_URL and RESTATE_ADMIN_URL: start it, or change the addresses.',
    )
  }
  const folder = restateFolderOf(config)
  // Only for the owner, because the folder contains events in flight, and the sockets of a Restate without authentication.
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const ports = { ingress: config.RESTATE_INGRESS_PORT, admin: config.RESTATE_ADMIN_PORT, node: config.RESTATE_NODE_PORT }
  const args = [ports.ingress, ports.admin, ports.node].map(String)
  await supervisor.keep(nodeProcess('guard', config, { log: openLog(config, 'guard'), print, args, folder }))
  const log = openLog(config, 'restate')
  const configFile = join(CHECKOUT, 'restate.toml')
  const settings = restateTracing(config)
  await supervisor.keep({
    name: RESTATE,
    start: (onSpawn) => startRestate({ folder, configFile, ports, isGuarded: true, log, settings }, onSpawn),
    stopSignal: 'SIGTERM',
    mark: folder,
  })
}

function newSecret(): string {
  return randomBytes(24).toString('base64url')
}

function openLog(config: Config, name: string): number {
  return openLogFile(join(logFolderOf(config), `${name}.log`))
}
