import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { StartError } from '../config/start-error.ts'
import { postgresOn, postgresUrl } from '../embedded/postgres.ts'
import { passwordFileOf, postgresFolderOf } from './home-paths.ts'

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
