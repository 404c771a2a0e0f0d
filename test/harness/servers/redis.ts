import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import type { LiveEvents } from '../../../src/external/live-events.ts'
import { freePorts, isListening } from '../../../src/main/embedded/ports.ts'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { until } from '../../../src/main/embedded/until.ts'
import { makeDataFolder } from './data-folder.ts'

/** Why tests with a Redis are skipped; undefined where Debian's redis-server is installed. */
export const NO_REDIS =
  spawnSync('redis-server', ['--version']).status === 0
    ? undefined
    : 'redis-server is not installed (apt-get install redis-server)'

export interface TestRedis {
  url: string
  port: number
  /** Ends it without saving, as when its machine dies. */
  kill: () => Promise<void>
  /** Starts it again on the same port, with nothing in it. */
  restart: () => Promise<void>
  /** Stops its process: it takes connections and answers nothing. */
  pause: () => void
  resume: () => void
  /** Asks it as another program. */
  command: (...words: string[]) => Promise<unknown>
  stop: () => Promise<void>
}

/** The files of a certificate for `localhost`. */
export interface Certificate {
  certFile: string
  keyFile: string
}

/**
 * A redis-server of its own on a free port, which keeps nothing on disk. `args` are further ones of its command line. With a certificate it
 * takes TLS alone.
 */
export async function startTestRedis(args: readonly string[] = [], certificate?: Certificate): Promise<TestRedis> {
  const folder = makeDataFolder('redis')
  const [port] = (await freePorts(1)) as [number]
  const log = openSync(join(folder, 'redis.log'), 'a')
  let child: ChildProcess | undefined
  const start = async () => {
    const ports = certificate === undefined ? ['--port', String(port)] : ['--port', '0', ...tlsOptions(port, certificate)]
    const options = [...ports, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...args]
    child = spawn('redis-server', options, { stdio: ['ignore', log, log] })
    if (!(await until(() => isListening(`http://127.0.0.1:${port}`), 10_000))) throw new Error('redis-server does not listen')
  }
  const kill = async () => {
    if (child !== undefined) await stopProcess(child, 'SIGKILL')
    child = undefined
  }
  await start()
  const command = async (...words: string[]) => {
    const client = createClient({ url: `redis://127.0.0.1:${port}` })
    await client.connect()
    try {
      return await client.sendCommand(words)
    } finally {
      client.destroy()
    }
  }
  return {
    url: certificate === undefined ? `redis://127.0.0.1:${port}` : `rediss://localhost:${port}`,
    port,
    kill,
    restart: start,
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    command,
    stop: async () => {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function tlsOptions(port: number, { certFile, keyFile }: Certificate): string[] {
  const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile]
  return ['--tls-port', String(port), ...files, '--tls-auth-clients', 'no']
}

/** Live events whose layer answers. */
export async function answering(live: LiveEvents, msMax = 10_000): Promise<LiveEvents> {
  if (await until(async () => (await live.read(['session:none'])) !== undefined, msMax)) return live
  throw new Error('the live events do not answer')
}
