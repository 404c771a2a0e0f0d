import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type ConnectOptions, type Database } from '../../store/database/connection.ts'
import { isAnswering } from '../../store/database/is-answering.ts'
import { isDenied, lacksTables } from '../../store/database/sql-state.ts'
import type { Config } from '../config/config.ts'
import { StartError } from '../config/start-error.ts'
import { openLogFile } from '../embedded/log-file.ts'
import { postgresOn, startPostgres } from '../embedded/postgres.ts'
import { stopProcess } from '../embedded/process.ts'
import { walArchiveSettings } from '../embedded/wal-archive.ts'
import { awayProblem } from './away-problem.ts'
import { claimHome, refuseConcurrentCommand } from './claim-home.ts'
import { databaseUrlOf } from './database-url.ts'
import { logFolderOf, postgresFolderOf } from './home-paths.ts'

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
