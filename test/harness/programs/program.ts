import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { until } from '../../../src/main/embedded/until.ts'
import { makeDataFolder } from '../servers/data-folder.ts'

const FOOTFALL = join(import.meta.dirname, '..', '..', '..', 'src', 'main', 'footfall.js')
const PORTS = [
  'GATEWAY_PORT',
  'RESTATE_INGRESS_PORT',
  'RESTATE_ADMIN_PORT',
  'RESTATE_NODE_PORT',
  'ENDPOINT_PORT',
  'ENDPOINT_METRICS_PORT',
  'CONSUMER_METRICS_PORT',
  'POSTGRES_PORT',
] as const

export interface Program {
  /** The address of a port, by the name of its variable. */
  urlOf: (port: (typeof PORTS)[number]) => string
  /** The environment for commands that work on it. */
  environment: Record<string, string>
  stop: () => Promise<void>
}

/** The program of `npm start`, on free ports and in a new folder. @throws its output when it is not ready in time. */
export async function startProgram(changes: Record<string, string> = {}): Promise<Program> {
  const home = makeDataFolder('program')
  const free = await freePorts(PORTS.length)
  const ports = Object.fromEntries(PORTS.map((name, n) => [name, String(free[n])]))
  const environment = { ...ports, FOOTFALL_HOME: join(home, 'home'), ...changes }
  const child = spawn(process.execPath, [FOOTFALL, 'start'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const stop = async () => {
    await stopProcess(child, 'SIGTERM', 30_000)
    await rm(home, { recursive: true, force: true })
  }
  await until(async () => output.includes('Footfall is ready') || child.exitCode !== null, 60_000)
  if (!output.includes('Footfall is ready')) {
    await stop()
    throw new Error(`Footfall did not start: ${output}`)
  }
  return { urlOf: (port) => `http://127.0.0.1:${ports[port]}`, environment, stop }
}
