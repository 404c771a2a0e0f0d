import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { recorderApi } from '../../contract/services.ts'
import { addressesIn, fetchFrom } from '../../ingress/addresses.ts'
import { isProcessGone, type OnSpawn, stopProcess } from './process.ts'
import { StartError } from '../config/start-error.ts'
import { RESTATE_SOCKETS } from './restate-sockets.ts'
import { until } from './until.ts'

export interface RestatePorts {
  ingress: number
  admin: number
  node: number
}

export interface EmbeddedRestate {
  /** Data folder; created when missing. */
  folder: string
  configFile: string
  /** The ports that it listens on, or that the guard serves for it. */
  ports: RestatePorts
  /** Whether it listens on the sockets of its data folder (RESTATE_SOCKETS) and not on the ports. */
  isGuarded?: boolean
  /** File descriptor of the log. */
  log: number
  /** Further environment variables of restate-server. */
  settings?: Record<string, string>
}

const READY_MS_MAX = 60_000
const QUERY_MS_MAX = 10_000
const HEALTH_MS_MAX = 2_000
/** So long, but not longer than a query may take, it is repeated while a partition has no leader. */
const LEADER_MS_MAX = 5_000
const LEADER_POLL_MS = 100

/** Starts restate-server; resolves when the ingress and the admin port answer. */
export async function startRestate(options: EmbeddedRestate, onSpawn: OnSpawn = () => undefined): Promise<ChildProcess> {
  // Only for the owner, because the folder contains events in flight.
  await mkdir(options.folder, { recursive: true, mode: 0o700 })
  const urls = { ingress: `http://127.0.0.1:${options.ports.ingress}`, admin: `http://127.0.0.1:${options.ports.admin}` }
  const child = spawn(restateBinary(), ['--config-file', options.configFile, '--base-dir', '.'], {
    // The command line has the folder, by which the process is recognised.
    argv0: `restate-server in ${options.folder}`,
    cwd: options.folder,
    stdio: ['ignore', options.log, options.log],
    detached: true,
    env: {
      ...process.env,
      ...(options.isGuarded === true ? socketSettings(urls) : portSettings(options.ports)),
      RESTATE_LOG_DISABLE_ANSI_CODES: 'true',
      ...options.settings,
    },
  })
  child.on('error', () => undefined)
  onSpawn(child)
  const ready = await until(async () => isProcessGone(child) || (await isRestateUp(urls)), READY_MS_MAX)
  if (ready && !isProcessGone(child)) return child
  await stopProcess(child, 'SIGTERM')
  throw new StartError('restate-server did not start; restate.log in the log folder says why.')
}

function portSettings({ ingress, admin, node }: RestatePorts): Record<string, string> {
  return {
    RESTATE_LISTEN_MODE: 'tcp',
    RESTATE_INGRESS__BIND_PORT: String(ingress),
    RESTATE_ADMIN__BIND_PORT: String(admin),
    RESTATE_BIND_PORT: String(node),
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}/`,
  }
}

/** It calls itself at its socket, and tells the UI and its command line the addresses of the guard. */
function socketSettings(urls: { ingress: string; admin: string }): Record<string, string> {
  return {
    RESTATE_LISTEN_MODE: 'unix',
    RESTATE_ADVERTISED_ADDRESS: `unix:${RESTATE_SOCKETS.node}`,
    RESTATE_INGRESS__ADVERTISED_ADDRESS: urls.ingress,
    RESTATE_ADMIN__ADVERTISED_ADDRESS: urls.admin,
  }
}

/** Whether the ingress of a Restate answers, and its admin port where that is known: one address of each, when they have several. */
export async function isRestateUp({ ingress, admin }: { ingress: string; admin: string | undefined }): Promise<boolean> {
  const isOk = async (url: string) => {
    if (!(await fetch(url, { signal: AbortSignal.timeout(HEALTH_MS_MAX) })).ok) throw new Error(`${url} is not healthy`)
    return true
  }
  const isOneOk = (addresses: string, path: string) =>
    Promise.any(addressesIn(addresses).map((address) => isOk(`${address}${path}`))).catch(() => false)
  return (await isOneOk(ingress, '/restate/health')) && (admin === undefined || (await isOneOk(admin, '/health')))
}

function restateBinary(): string {
  try {
    const wrapper = createRequire(import.meta.url).resolve('@restatedev/restate-server/package.json')
    return createRequire(wrapper).resolve(`@restatedev/restate-server-${platform()}-${arch()}/bin/restate-server`)
  } catch (cause) {
    throw new StartError(
      `The package @restatedev/restate-server has no server for ${platform()}-${arch()} here: run npm ci without --omit=optional, or set RESTATE_INGRESS_URL and RESTATE_ADMIN_URL to a Restate 1.7 that runs.`,
      { cause },
    )
  }
}

export interface Stuck {
  /** Number of failed invocations that Restate will retry. */
  retrying: number
  /** Number of invocations that used up their attempts and wait for an operator. */
  paused: number
  /** Ids of at most 100 paused invocations. */
  pausedIds: string[]
}

/** What answers at the admin port does not answer a query. */
export class RestateQueryError extends Error {
  override readonly name = 'RestateQueryError'

  constructor(adminUrl: string, status: number, problem: string) {
    super(`Restate at ${adminUrl} did not answer a query: ${status} ${problem}`)
  }
}

/** Runs SQL over Restate's own tables. */
export async function queryRestate<Row>(adminUrl: string, text: string, msMax = QUERY_MS_MAX): Promise<Row[]> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query: text }),
    signal: AbortSignal.timeout(msMax),
  }
  const endMs = performance.now() + Math.min(msMax, LEADER_MS_MAX)
  for (;;) {
    const answer = await fetchFrom(adminUrl, '/query', init)
    if (answer.ok) return ((await answer.json()) as { rows: Row[] }).rows
    const problem = await answer.text()
    if (!hasNoLeader(problem) || performance.now() > endMs) {
      throw new RestateQueryError(adminUrl, answer.status, problem)
    }
    await sleep(LEADER_POLL_MS)
  }
}

/** Whether a partition has no leader yet, which lasts for some tenths of a second after a start and after the loss of a leader. */
export function hasNoLeader(problem: string): boolean {
  return /node lookup for partition|expecting a partition store/.test(problem)
}

/** Makes Restate forget a call that it has completed. A call that it does not know, or has not completed, stays as it is. */
export async function purgeInvocation(adminUrl: string, id: string): Promise<void> {
  const init = { method: 'PATCH', signal: AbortSignal.timeout(QUERY_MS_MAX) }
  const answer = await fetchFrom(adminUrl, `/invocations/${id}/purge`, init)
  const isGone = answer.status === 404 || answer.status === 409
  if (!answer.ok && !isGone) throw new Error(`Restate did not forget ${id}: ${answer.status} ${await answer.text()}`)
}

/** Names of the tasks with a tick or a run that used up its attempts, or that an operator paused. */
export async function pausedTasks(adminUrl: string, msMax = QUERY_MS_MAX): Promise<string[]> {
  const rows = await queryRestate<{ task: string }>(
    adminUrl,
    `select distinct target_service_key as task from sys_invocation
      where status = 'paused' and target_service_name in ('Schedule', 'Task') order by 1`,
    msMax,
  )
  return rows.map((row) => row.task)
}

/** How many calls wait in the inbox of each recorder, without those that are recorded now. Only inboxes are read, which is cheap. */
export async function waitingInRecorders(adminUrl: string): Promise<{ recorder: string; calls: number }[]> {
  return queryRestate(
    adminUrl,
    `select service_key as recorder, count(*) as calls from sys_inbox where service_name = '${recorderApi.name}' group by 1 order by 1`,
  )
}

/** Invocations that fail. */
export async function stuckInvocations(adminUrl: string, msMax = QUERY_MS_MAX): Promise<Stuck> {
  const [counts, listed] = await Promise.all([
    queryRestate<{ status: string; n: number }>(
      adminUrl,
      "select status, count(*) as n from sys_invocation where status in ('paused', 'backing-off') group by status",
      msMax,
    ),
    queryRestate<{ id: string }>(adminUrl, "select id from sys_invocation where status = 'paused' order by id limit 100", msMax),
  ])
  const countOf = (status: string) => counts.find((row) => row.status === status)?.n ?? 0
  return { retrying: countOf('backing-off'), paused: countOf('paused'), pausedIds: listed.map((row) => row.id) }
}
