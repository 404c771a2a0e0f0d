import type { Interceptor } from '@restatedev/restate-sdk'
import type { KyselyPlugin } from 'kysely'
import { pino } from 'pino'
import type { Deps } from '../../services/handler/deps.ts'
import { archiveMonth } from '../../services/archive/archive-month.ts'
import { TASKS } from '../../services/tasks/all.ts'
import { createWaitingCalls } from '../../src/main/endpoint/waiting-calls.ts'
import { serveEndpoint } from '../../src/main/endpoint/serve-endpoint.ts'
import { atFailPoints, type FailPoint } from '../harness/servers/fail-points.ts'
import { ANYWHERE, type Death, type EndpointMessage, type EndpointOrder, STATEMENT_ANSWERED } from './endpoint-messages.ts'
import { TEST_DEPS } from '../harness/servers/deps.ts'
import type { ArchiveStore } from '../../src/external/archive-store.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import type { ArchiveMonth } from '../../src/store/log/retention.ts'
import { noteSlots } from './slots.ts'

const RETENTION_DAYS = 32

/**
 * The service endpoint as a process that kills itself at a given point: `endpoint.ts <database url> <port> [<folder of archives>]`. Messages from the parent
 * make it listen, arm it and set its clock. It exits when the parent does.
 */
function main(databaseUrl: string, port: number, archiveFolder?: string): void {
  let death: Death | null = null
  const onPoint = (point: FailPoint) => {
    if (death?.point === point && --death.occurrence === 0) process.kill(process.pid, 'SIGKILL')
  }
  process.on('disconnect', () => process.exit())
  const db = connect({ url: databaseUrl, name: 'crash endpoint', onConnectionLost: () => undefined })
  const observed = db.withPlugin(
    afterEachStatement(() => {
      onPoint(STATEMENT_ANSWERED)
      onPoint(ANYWHERE)
    }),
  )
  const retryPolicy = { initialInterval: 50, maxInterval: 100, maxAttempts: 1_000, onMaxAttempts: 'pause' } as const
  const deps: Deps = {
    ...TEST_DEPS,
    db: observed,
    background: observed,
    retryPolicy,
    // Few, so that direct calls leave their places when PostgreSQL is killed.
    waitingCalls: { ...TEST_DEPS.waitingCalls, direct: createWaitingCalls({ placesMax: 1, leavingMax: 1_000 }).direct },
    tasks: { ...TASKS, 'note-slots': noteSlots },
    ...(archiveFolder !== undefined && {
      retention: { ...TEST_DEPS.retention, retentionDays: RETENTION_DAYS },
      archive: archiveInto(observed, archiveFolder, () => onPoint(ANYWHERE)),
    }),
  }
  const hooks = [() => ({ interceptor: aroundEachStep(() => onPoint(ANYWHERE)) }), atFailPoints(onPoint)]
  const machineNow = Date.now
  const follow = async (order: EndpointOrder) => {
    if (order === 'serve') {
      await serveEndpoint(deps, { host: '127.0.0.1', port, log: pino({ level: 'warn' }), hooks })
      sendToParent('ready')
    } else if ('aheadMs' in order) {
      Date.now = () => machineNow() + order.aheadMs
      sendToParent('clock set')
    } else {
      death = order.death
      sendToParent('armed')
    }
  }
  process.on('message', (order: EndpointOrder) => void follow(order))
  sendToParent('loaded')
}

function afterEachStatement(onAnswer: () => void): KyselyPlugin {
  return {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      onAnswer()
      return result
    },
  }
}

function aroundEachStep(onPoint: () => void): Interceptor {
  return {
    handler: async (next) => {
      onPoint()
      await next()
      onPoint()
    },
    run: async (_name, next) => {
      await next()
      onPoint()
    },
  }
}

function sendToParent(message: EndpointMessage): void {
  process.send?.(message)
}

/** Small parts, several steps for each month, and a point after each change of the archive. */
function archiveInto(db: Database, folder: string, onPoint: () => void): ArchiveMonth {
  const store = createFolderArchive(folder)
  const observed: ArchiveStore = {
    ...store,
    put: async (name, chunks) => {
      await store.put(name, chunks)
      onPoint()
    },
    create: async (name, bytes) => {
      const isNew = await store.create(name, bytes)
      onPoint()
      return isNew
    },
    remove: async (name) => {
      await store.remove(name)
      onPoint()
    },
  }
  return (table, month) => archiveMonth({ db, store: observed, partRows: 25, stepMs: 5 }, table, month)
}

main(process.argv[2]!, Number(process.argv[3]), process.argv[4])
