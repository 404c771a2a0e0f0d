import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { postgresUrl } from '../../../src/main/embedded/postgres.ts'
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
const READY_MS_MAX = 150_000

export interface Program {
  /** The address of a port, by the name of its variable. */
  urlOf: (port: (typeof PORTS)[number]) => string
  /** The environment for commands that work on it. */
  environment: Record<string, string>
  /** The process that keeps the parts. */
  pid: () => number
  /** Of the database, as its owner. */
  databaseUrl: () => Promise<string>
  /** The process ids of its parts, by a text of their command lines, e.g. `consumer.ts`. */
  partsOf: (mark: string) => Promise<number[]>
  /** Kills the process that keeps the parts. Some of them end by themselves then, and a start ends the others. */
  kill: () => Promise<void>
  /** Starts it again after a kill. @throws its output when it is not ready in time. */
  start: () => Promise<void>
  /** What it printed since its last start. */
  output: () => string
  /** Stops it as Ctrl-C does. The data stays. */
  halt: () => Promise<void>
  stop: () => Promise<void>
}

/** The program of `npm start`, on free ports and in a new folder. @throws its output when it is not ready in time. */
export async function startProgram(changes: Record<string, string> = {}): Promise<Program> {
  const home = makeDataFolder('program')
  const free = await freePorts(PORTS.length)
  const ports = Object.fromEntries(PORTS.map((name, n) => [name, String(free[n])]))
  const environment = { ...ports, FOOTFALL_HOME: join(home, 'home'), ...changes }
  let child: ChildProcess
  let output = () => ''
  const stop = async () => {
    await stopProcess(child, 'SIGTERM', 30_000)
    await rm(home, { recursive: true, force: true })
  }
  const start = async () => {
    const { started, output: printed } = launch(environment)
    child = started
    output = printed
    await until(async () => output().includes('Footfall is ready') || started.exitCode !== null, READY_MS_MAX)
    if (!output().includes('Footfall is ready')) {
      await stop()
      throw new Error(`Footfall did not start: ${output()}`)
    }
  }
  await start()
  return {
    urlOf: (port) => `http://127.0.0.1:${ports[port]}`,
    environment,
    pid: () => child.pid!,
    databaseUrl: async () => {
      const password = await readFile(join(environment.FOOTFALL_HOME, 'postgres-password'), 'utf8')
      return postgresUrl({ port: Number(ports['POSTGRES_PORT']), password })
    },
    partsOf: async (mark) => {
      const text = await readFile(join(environment.FOOTFALL_HOME, 'processes.json'), 'utf8')
      const { children } = JSON.parse(text) as { children: { pid: number; mark: string }[] }
      return children.flatMap((part) => (part.mark.includes(mark) ? [part.pid] : []))
    },
    kill: () => stopProcess(child, 'SIGKILL'),
    start,
    output: () => output(),
    halt: () => stopProcess(child, 'SIGTERM', 30_000),
    stop,
  }
}

function launch(environment: Record<string, string>): { started: ChildProcess; output: () => string } {
  const started = spawn(process.execPath, [FOOTFALL, 'start'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [started.stdout, started.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { started, output: () => output }
}
