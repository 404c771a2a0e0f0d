import { mkdtempSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts, stopProcess } from '../../src/main/embedded/process.ts'
import { postgresUrl, startPostgres } from '../../src/main/embedded/postgres.ts'
import { prepareTemplate } from './database.ts'

/** One PostgreSQL for the whole run, with a template database that every test file copies. */
export default async function setup(project: { provide: (key: 'postgresUrl', value: string) => void }) {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-test-'))
  const [port] = (await freePorts(1)) as [number]
  const log = openSync(join(folder, 'postgres.log'), 'a')
  // The data is thrown away: nothing has to survive a power cut.
  const options = { folder: join(folder, 'postgres'), port, password: 'test', log, settings: { fsync: 'off' } }
  const child = await startPostgres(options)
  await prepareTemplate(postgresUrl(options))
  project.provide('postgresUrl', postgresUrl(options))
  return async () => {
    await stopProcess(child, 'SIGINT')
    await rm(folder, { recursive: true, force: true })
  }
}

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string
  }
}
