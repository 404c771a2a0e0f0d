import { openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { postgresUrl, startPostgres } from '../../../src/main/embedded/postgres.ts'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import type { TestPostgres } from '../../containers/postgres.ts'
import { makeDataFolder, removeFoldersOfDeadRuns } from './data-folder.ts'

/**
 * The data is thrown away, so it need not survive a power cut. Statistics change only when a test asks for them: those that autovacuum takes
 * in the middle of a test, of a part of the tables, give plans by which a proof of 20 events takes seconds.
 */
const SETTINGS = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', autovacuum: 'off' }

/** The embedded PostgreSQL, one in a container when the run asks for that, or the coordinator of `npm run test:citus`. */
export async function startTestPostgres(): Promise<TestPostgres> {
  if (process.env['TEST_SERVERS'] === 'containers') {
    const { startPostgresContainer } = await import('../../containers/postgres.ts')
    return startPostgresContainer(SETTINGS)
  }
  if (process.env['TEST_CITUS'] === 'server') return { url: process.env['DATABASE_URL']!, stop: async () => undefined }
  removeFoldersOfDeadRuns()
  const folder = makeDataFolder('postgres')
  const [port] = (await freePorts(1)) as [number]
  const log = openSync(join(folder, 'postgres.log'), 'a')
  const options = { folder: join(folder, 'postgres'), port, password: 'test', log, settings: SETTINGS }
  const child = await startPostgres(options)
  const stop = async () => {
    await stopProcess(child, 'SIGINT')
    await rm(folder, { recursive: true, force: true })
  }
  return { url: postgresUrl(options), stop }
}
