import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { type Config } from './config.ts'
import { StartError, stopProcess } from './embedded/process.ts'
import { answers, postgresUrl, startPostgres } from './embedded/postgres.ts'

export const passwordFileOf = (config: Config) => join(config.FOOTFALL_HOME, 'postgres-password')
export const postgresFolderOf = (config: Config) => join(config.FOOTFALL_HOME, 'postgres')
export const logFolderOf = (config: Config) => join(config.FOOTFALL_HOME, 'log')

/** The database's address: DATABASE_URL, or that of the embedded PostgreSQL of this checkout. */
export async function databaseUrlOf(config: Config): Promise<string> {
  if (config.DATABASE_URL !== undefined) return config.DATABASE_URL
  const file = passwordFileOf(config)
  if (!existsSync(file))
    throw new StartError(
      `There is no data in ${config.FOOTFALL_HOME} yet: run npm start first, or set DATABASE_URL or FOOTFALL_HOME.`,
    )
  return postgresUrl({ port: config.POSTGRES_PORT, password: (await readFile(file, 'utf8')).trim() })
}

/** Does something with the database: the one that runs, or the embedded one, started for as long as it takes. */
export async function withDatabase<T>(config: Config, work: (url: string) => Promise<T>): Promise<T> {
  const url = await databaseUrlOf(config)
  if (await answers(url)) return work(url)
  if (config.DATABASE_URL !== undefined)
    throw new StartError(`PostgreSQL does not answer at ${withoutPassword(url)}: start it, or change DATABASE_URL.`)
  await mkdir(logFolderOf(config), { recursive: true })
  const child = await startPostgres({
    folder: postgresFolderOf(config),
    port: config.POSTGRES_PORT,
    password: new URL(url).password,
    log: openSync(join(logFolderOf(config), 'postgres.log'), 'a'),
  })
  try {
    return await work(url)
  } finally {
    await stopProcess(child, 'SIGINT')
  }
}

function withoutPassword(url: string): string {
  const shown = new URL(url)
  shown.password = ''
  return shown.href
}
