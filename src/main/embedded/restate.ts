import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { addressesIn } from '../../ingress/addresses.ts'
import { RESTATE_MALLOC } from './malloc-settings.ts'
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
const HEALTH_MS_MAX = 2_000

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
      ...RESTATE_MALLOC,
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
