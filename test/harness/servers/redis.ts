import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
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
  stop: () => Promise<void>
}

/** A redis-server of its own on a free port, which keeps nothing on disk. `args` are further ones of its command line. */
export async function startTestRedis(args: readonly string[] = []): Promise<TestRedis> {
  const folder = makeDataFolder('redis')
  const [port] = (await freePorts(1)) as [number]
  const log = openSync(join(folder, 'redis.log'), 'a')
  let child: ChildProcess | undefined
  const start = async () => {
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...args]
    child = spawn('redis-server', options, { stdio: ['ignore', log, log] })
    if (!(await until(() => isListening(`http://127.0.0.1:${port}`), 10_000))) throw new Error('redis-server does not listen')
  }
  const kill = async () => {
    if (child !== undefined) await stopProcess(child, 'SIGKILL')
    child = undefined
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    restart: start,
    stop: async () => {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
