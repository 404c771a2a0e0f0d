import type { TestPostgres } from '../../containers/postgres.ts'
import { prepareTemplate } from '../servers/database.ts'
import { startTestPostgres } from '../servers/postgres.ts'

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

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string
  }
}
