import { mkdtempSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { postgresUrl, startPostgres } from '../../../src/main/embedded/postgres.ts'
import { prepareTemplate } from '../../harness/servers/database.ts'
import { freePorts } from '../../../src/main/embedded/ports.ts'

/** The same settings for all rivals. fsync and synchronous_commit are on, which is PostgreSQL's default. */
export const BENCH_SETTINGS = {
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  max_connections: '100',
}

/** As `npm start` has it, because it decides how large changed tables become. */
export const VACUUM_OF_START = { autovacuum_naptime: '5s' }

export interface BenchPostgres {
  url: string
  pid: number
  logFile: string
  stop: () => Promise<void>
}

/** Starts a PostgreSQL in a temporary folder, with the template of the databases. Rows without a rival may take settings of their own. */
export async function startBenchPostgres(settings: Record<string, string> = {}): Promise<BenchPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-bench-'))
  const [port] = (await freePorts(1)) as [number]
  const options = { folder: join(folder, 'postgres'), port, password: 'bench', settings: { ...BENCH_SETTINGS, ...settings } }
  const logFile = join(folder, 'postgres.log')
  const child = await startPostgres({ ...options, log: openSync(logFile, 'a') })
  const stop = async () => {
    await stopProcess(child, 'SIGINT')
    await rm(folder, { recursive: true, force: true })
  }
  await prepareTemplate(postgresUrl(options)).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return { url: postgresUrl(options), pid: child.pid!, logFile, stop }
}
