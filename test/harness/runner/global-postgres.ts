import { openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { postgresUrl, startPostgres } from '../../../src/main/embedded/postgres.ts'
import type { TestPostgres } from '../../containers/postgres.ts'
import { makeDataFolder, removeFoldersOfDeadRuns } from '../servers/data-folder.ts'
import { prepareTemplate } from '../servers/database.ts'
import { freePorts } from '../../../src/main/embedded/ports.ts'

/** The data is thrown away, so it need not survive a power cut. */
const SETTINGS = { fsync: 'off' }

interface SharedPostgres {
  projects: number
  server: Promise<TestPostgres>
}

/** Each project loads this file by itself, so the server that they share is kept outside of its modules. */
const shared = globalThis as { testPostgres?: SharedPostgres | undefined }

/** One PostgreSQL for all projects of a run, with a template database that every test file copies. It takes 2 s to start. */
export default async function setup(project: { provide: (key: 'postgresUrl', value: string) => void }) {
  shared.testPostgres ??= { projects: 0, server: startWithTemplate() }
  shared.testPostgres.projects++
  const { url } = await shared.testPostgres.server
  project.provide('postgresUrl', url)
  return stopAfterLastProject
}

async function stopAfterLastProject(): Promise<void> {
  const { testPostgres } = shared
  if (testPostgres === undefined || --testPostgres.projects > 0) return
  shared.testPostgres = undefined
  await (await testPostgres.server).stop()
}

async function startWithTemplate(): Promise<TestPostgres> {
  const server = await startTestPostgres()
  await prepareTemplate(server.url)
  return server
}

/** The embedded one, or one in a container when the run asks for that. */
async function startTestPostgres(): Promise<TestPostgres> {
  if (process.env['TEST_SERVERS'] === 'containers') {
    const { startPostgresContainer } = await import('../../containers/postgres.ts')
    return startPostgresContainer(SETTINGS)
  }
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

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string
  }
}
