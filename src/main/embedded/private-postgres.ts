import { type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAnswering } from '../../store/database/is-answering.ts'
import { StartError } from '../config/start-error.ts'
import { binariesFolder } from './postgres.ts'
import { postgresAccount } from './postgres-account.ts'
import { isProcessGone, stopProcess } from './process.ts'
import { until } from './until.ts'

export interface PrivatePostgresOptions {
  /** A data folder, which exists. */
  folder: string
  /** File descriptor of the log. */
  log: number
  settings: Record<string, string>
  /** How long it may replay its log before it answers. */
  readyMsMax: number
}

/** A PostgreSQL that no other program reaches. */
export interface PrivatePostgres {
  url: string
  stop: () => Promise<void>
}

/** Long, because PostgreSQL writes everything to the disk when it stops. */
const STOP_MS_MAX = 120_000

/**
 * Starts PostgreSQL on a folder for this process alone: on a socket in a folder of its user, without a password and without a port. Resolves when
 * it can be written to. @throws StartError when it ends before.
 */
export async function startPrivatePostgres(options: PrivatePostgresOptions): Promise<PrivatePostgres> {
  // In the folder for temporary files, because the path of a socket has at most 107 bytes.
  const sockets = await mkdtemp(join(tmpdir(), 'footfall-'))
  const binaries = binariesFolder()
  const account = await postgresAccount([binaries, options.folder, sockets])
  const access = join(sockets, 'pg_hba.conf')
  await writeFile(access, 'local all all trust\n', { mode: 0o600 })
  await account.takeOwnership([sockets, access])
  const settings = {
    listen_addresses: '',
    unix_socket_directories: sockets,
    hba_file: access,
    port: '5432',
    // So that it does not answer while it still replays.
    hot_standby: 'off',
    ...options.settings,
  }
  const command = ['-D', options.folder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const child = account.spawn(join(binaries, 'postgres'), command, { stdio: ['ignore', options.log, options.log] })
  child.on('error', () => undefined)
  const url = `postgres://postgres@localhost/postgres?host=${encodeURIComponent(sockets)}&port=5432`
  const stop = async () => {
    await stopProcess(child, 'SIGINT', STOP_MS_MAX)
    await rm(sockets, { recursive: true, force: true })
  }
  await waitUntilReady(child, url, options.readyMsMax, stop)
  return { url, stop }
}

async function waitUntilReady(child: ChildProcess, url: string, readyMsMax: number, stop: () => Promise<void>): Promise<void> {
  const isSettled = await until(async () => isProcessGone(child) || (await isAnswering(url)), readyMsMax)
  if (isSettled && !isProcessGone(child)) return
  await stop()
  throw new StartError(isSettled ? 'PostgreSQL ended before it could be used.' : 'PostgreSQL did not become ready in time.')
}
