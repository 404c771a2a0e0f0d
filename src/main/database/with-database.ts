import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type ConnectOptions, type Database, isAnswering } from '../../store/database/connection.ts'
import { isDenied, lacksTables } from '../../store/database/sql-state.ts'
import type { Config } from '../config/config.ts'
import { StartError } from '../config/start-error.ts'
import { openLogFile } from '../embedded/log-file.ts'
import { postgresOn, postgresUrl, startPostgres } from '../embedded/postgres.ts'
import { commandLineOf, stopProcess } from '../embedded/process.ts'
import { awayProblem } from './away-problem.ts'
import { walArchiveSettings } from '../embedded/wal-archive.ts'
import { commandFileOf, logFolderOf, passwordFileOf, postgresFolderOf } from './home-paths.ts'

/** DATABASE_URL, or the address of the embedded PostgreSQL. @throws StartError before the first start, when there is neither. */
export async function databaseUrlOf(config: Config): Promise<string> {
  if (config.DATABASE_URL !== undefined) return config.DATABASE_URL
  const file = passwordFileOf(config)
  if (!existsSync(file)) {
    throw new StartError(
      `There is no data in ${config.FOOTFALL_HOME} yet: run npm start first, or set DATABASE_URL or FOOTFALL_HOME.`,
    )
  }
  const running = await postgresOn(postgresFolderOf(config))
  const password = (await readFile(file, 'utf8')).trim()
  return postgresUrl({ port: running?.port ?? config.POSTGRES_PORT, password })
}

/** Calls `work` with the running database. Starts the embedded PostgreSQL for that time if it does not run. */
export async function withDatabase<T>(
  config: Config,
  options: Omit<ConnectOptions, 'url'>,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const url = await databaseUrlOf(config)
  // Another command stops the server that it started when it is done, whether or not this command still uses it.
  if (config.DATABASE_URL === undefined) await refuseConcurrentCommand(config)
  const stop = (await isAnswering(url)) ? undefined : await startTemporarily(config, url)
  const db = connect({ ...options, url })
  try {
    return await work(db)
  } catch (cause) {
    if (lacksTables(cause)) throw new StartError('The database is not prepared: run ./footfall migrate first.', { cause })
    if (isDenied(cause))
      throw new StartError(`The user of DATABASE_URL may not do this (${(cause as Error).message}).`, { cause })
    throw cause
  } finally {
    await db.destroy()
    await stop?.()
  }
}

/** @throws StartError while another command runs PostgreSQL for itself. */
export async function refuseConcurrentCommand(config: Config): Promise<void> {
  const pid = Number(await readFile(commandFileOf(config), 'utf8').catch(() => ''))
  if (pid > 1 && pid !== process.pid && (await commandLineOf(pid))?.includes('footfall')) {
    throw new StartError(`Another footfall command (process ${pid}) works on ${config.FOOTFALL_HOME}: wait until it is done.`)
  }
  if (pid > 1) await rm(commandFileOf(config), { force: true })
}

/** Keeps other commands from running PostgreSQL here, until the returned function is called. @throws StartError while another one does. */
export async function claimHome(config: Config): Promise<() => Promise<void>> {
  await writeFile(commandFileOf(config), String(process.pid), { flag: 'wx', mode: 0o600 }).catch((cause: unknown) => {
    throw new StartError(`Another footfall command works on ${config.FOOTFALL_HOME}: wait until it is done.`, { cause })
  })
  return () => rm(commandFileOf(config), { force: true })
}

/** @returns a function that stops PostgreSQL again. */
async function startTemporarily(config: Config, url: string): Promise<() => Promise<void>> {
  if (config.DATABASE_URL !== undefined) {
    throw new StartError(awayProblem(config.DATABASE_URL))
  }
  // PostgreSQL that runs without answering is busy or still starts, and startPostgres would end it as a leftover.
  if ((await postgresOn(postgresFolderOf(config))) !== undefined) {
    throw new StartError(`PostgreSQL runs in ${config.FOOTFALL_HOME} and does not answer: wait a moment and try again.`)
  }
  await mkdir(logFolderOf(config), { recursive: true, mode: 0o700 })
  const release = await claimHome(config)
  try {
    const child = await startPostgres({
      folder: postgresFolderOf(config),
      port: config.POSTGRES_PORT,
      password: new URL(url).password,
      log: openLogFile(join(logFolderOf(config), 'postgres.log')),
      settings: walArchiveSettings(config),
      inForeground: true,
    })
    return async () => {
      await stopProcess(child, 'SIGINT')
      await release()
    }
  } catch (error) {
    await release()
    throw error
  }
}
