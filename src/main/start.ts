import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import { access, constants, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, isAnswering } from '../store/database/connection.ts'
import { listApiKeys } from '../store/access/api-key.ts'
import type { Config } from './config/config.ts'
import { addressesOf, isPublic } from './config/addresses.ts'
import { CHECKOUT } from './config/checkout.ts'
import { retentionOf } from './config/retention.ts'
import { register } from './release/deployments.ts'
import { type OnSpawn, stopProcess } from './embedded/process.ts'
import { endLeftoverPostgres, startPostgres } from './embedded/postgres.ts'
import { isRestateUp, startRestate } from './embedded/restate.ts'
import { storedSecret } from './embedded/stored-secret.ts'
import { prepareDatabase } from './database/prepare-database.ts'
import { databaseUrlOf, refuseConcurrentCommand } from './database/with-database.ts'
import { startSchedules } from './start-schedules.ts'
import { restateTracing } from './tracing/start.ts'
import { V8_FLAGS } from './embedded/v8-flags.ts'
import { clearPidFile, createSupervisor, type Part, type Supervisor } from './embedded/supervisor.ts'
import { StartError } from './config/start-error.ts'
import { isPortFree } from './embedded/ports.ts'
import {
  logFolderOf,
  passwordFileOf,
  paymentSecretFileOf,
  postgresFolderOf,
  processesFileOf,
  restateFolderOf,
} from './database/home-paths.ts'

const READY_MS_MAX = 30_000

export interface Running {
  logFolder: string
  /** Resolves when everything does its work. */
  ready: Promise<void>
  /** Stops everything, also while it is still coming up. */
  stop: () => Promise<void>
  kill: () => void
}

/** Checks what can be checked, then begins to bring everything up in order and to keep it running. */
export async function startEverything(config: Config, say: (line: string) => void): Promise<Running> {
  const pidFile = processesFileOf(config)
  await makeHome(config)
  await clearPidFile(pidFile, 'footfall.js')
  await refuseConcurrentCommand(config)
  await endLeftoverPostgres(postgresFolderOf(config))
  await checkPorts(config)
  const supervisor = createSupervisor(pidFile, say)
  return { logFolder: logFolderOf(config), ready: bringUp(config, supervisor), stop: supervisor.stop, kill: supervisor.kill }
}

async function bringUp(config: Config, supervisor: Supervisor): Promise<void> {
  if (config.PAYMENT_SECRET_FILE === undefined) await storedSecret(paymentSecretFileOf(config), newSecret)
  await Promise.all([bringUpPostgres(config, supervisor), bringUpRestate(config, supervisor)])
  await Promise.all([
    supervisor.keep(nodePart('endpoint', config)).then(() => registerServices(config)),
    supervisor.keep(nodePart('gateway', config)),
  ])
}

async function registerServices(config: Config): Promise<void> {
  const { adminUrl, ingressUrl, endpointUrl } = addressesOf(config)
  // The handlers of this start replace those of the last one, at the same address.
  await register(adminUrl, endpointUrl, { isForced: true })
  await startSchedules(ingressUrl, retentionOf(config))
}

async function makeHome(config: Config): Promise<void> {
  try {
    await makeFolder(dirname(logFolderOf(config)))
    await mkdir(logFolderOf(config), { recursive: true, mode: 0o700 })
    await access(config.FOOTFALL_HOME, constants.W_OK)
  } catch (cause) {
    throw new StartError(`${config.FOOTFALL_HOME} cannot be written: set FOOTFALL_HOME to a folder that can.`, { cause })
  }
}

/** mkdir with `recursive` never returns where the file system makes no folders, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  if (existsSync(path)) return
  await makeFolder(dirname(path))
  await mkdir(path)
}

/** Only the ports of what is started here; all that are taken are named at once. */
async function checkPorts(config: Config): Promise<void> {
  const names: (keyof Config & `${string}_PORT`)[] = ['GATEWAY_PORT', 'ENDPOINT_PORT', 'ENDPOINT_METRICS_PORT']
  if (config.DATABASE_URL === undefined) names.push('POSTGRES_PORT')
  if (config.RESTATE_INGRESS_URL === undefined) names.push('RESTATE_INGRESS_PORT', 'RESTATE_ADMIN_PORT', 'RESTATE_NODE_PORT')
  const twice = names.find((name, place) => names.slice(0, place).some((other) => config[other] === config[name]))
  if (twice !== undefined)
    throw new StartError(`${twice} is ${config[twice]}, which another variable has too: set it to a port of its own.`)
  const busy: string[] = []
  for (const name of names) {
    if (!(await isPortFree(config[name]))) busy.push(`${config[name]} (${name})`)
  }
  if (busy.length > 0)
    throw new StartError(`In use already: port ${busy.join(', port ')}; set the variable in brackets to a free port.`)
}

async function bringUpPostgres(config: Config, supervisor: Supervisor): Promise<void> {
  if (config.DATABASE_URL === undefined) {
    const folder = postgresFolderOf(config)
    const password = await storedSecret(passwordFileOf(config), newSecret)
    const log = openLog(config, 'postgres')
    // A pool of the gateway and two of each process of the endpoint, and some for metrics, commands and people.
    const pools = 1 + 2 * config.ENDPOINT_PROCESSES
    const settings = { max_connections: String(pools * config.DATABASE_CONNECTIONS + 20) }
    await supervisor.keep({
      name: 'PostgreSQL',
      start: (onSpawn) => startPostgres({ folder, port: config.POSTGRES_PORT, password, log, settings }, onSpawn),
      stopSignal: 'SIGINT',
      mark: folder,
    })
  } else if (!(await isAnswering(config.DATABASE_URL))) {
    throw new StartError('PostgreSQL does not answer at DATABASE_URL: start it, or change the address, user or password.')
  }
  const db = connect({ url: await databaseUrlOf(config), name: 'footfall start', statementMsMax: 0 })
  try {
    await prepareDatabase(db, config)
    if (isPublic(config) && (await listApiKeys(db)).length === 0) {
      throw new StartError(
        `Others can reach GATEWAY_HOST (${config.GATEWAY_HOST}), and there is no key yet: make one with ./footfall key create, or unset GATEWAY_HOST.`,
      )
    }
  } finally {
    await db.destroy()
  }
}

async function bringUpRestate(config: Config, supervisor: Supervisor): Promise<void> {
  const { ingressUrl, adminUrl } = addressesOf(config)
  if (config.RESTATE_INGRESS_URL !== undefined) {
    if (await isRestateUp({ ingress: ingressUrl, admin: adminUrl })) return
    throw new StartError(
      'Restate does not answer at RESTATE_INGRESS_URL and RESTATE_ADMIN_URL: start it, or change the addresses.',
    )
  }
  const folder = restateFolderOf(config)
  const log = openLog(config, 'restate')
  const ports = { ingress: config.RESTATE_INGRESS_PORT, admin: config.RESTATE_ADMIN_PORT, node: config.RESTATE_NODE_PORT }
  const settings = restateTracing(config)
  await supervisor.keep({
    name: 'Restate',
    start: (onSpawn) => startRestate({ folder, configFile: join(CHECKOUT, 'restate.toml'), ports, log, settings }, onSpawn),
    stopSignal: 'SIGTERM',
    mark: folder,
  })
}

/** A process of our own; it says when it listens, and ends by itself when this one is gone. */
function nodePart(name: 'endpoint' | 'gateway', config: Config): Part {
  const file = join(CHECKOUT, 'src', 'main', `${name}.ts`)
  const log = openLog(config, name)
  const start = async (onSpawn: OnSpawn) => {
    const child = fork(file, {
      stdio: ['ignore', log, log, 'ipc'],
      execArgv: V8_FLAGS[name],
      detached: true,
      env: { PAYMENT_SECRET_FILE: paymentSecretFileOf(config), ...process.env, FOOTFALL_HOME: config.FOOTFALL_HOME },
    })
    onSpawn(child)
    const ready = await Promise.race([
      once(child, 'message').then(() => true),
      once(child, 'exit').then(() => false),
      sleep(READY_MS_MAX, false, { ref: false }),
    ])
    if (ready) return
    await stopProcess(child, 'SIGKILL')
    throw new Error(`the ${name} did not start; see ${join(logFolderOf(config), `${name}.log`)}`)
  }
  return { name: `The ${name}`, start, stopSignal: 'SIGTERM' as const, mark: file }
}

function newSecret(): string {
  return randomBytes(24).toString('base64url')
}

function openLog(config: Config, name: string): number {
  return openSync(join(logFolderOf(config), `${name}.log`), 'a')
}
