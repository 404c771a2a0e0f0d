import type { Interceptor } from '@restatedev/restate-sdk'
import type { KyselyPlugin } from 'kysely'
import { pino } from 'pino'
import type { Deps } from '../../services/handler/deps.ts'
import { TASKS } from '../../services/tasks/tasks.ts'
import { serveEndpoint } from '../../src/main/endpoint/serve-endpoint.ts'
import { atFailPoints, type FailPoint } from '../harness/servers/fail-points.ts'
import { TEST_DEPS } from '../harness/servers/deps.ts'
import { connect } from '../../src/store/database/connection.ts'
import { noteSlots } from './slots.ts'

/**
 * Where the process dies: at a fail point, or when PostgreSQL has answered a statement and nothing was done with it yet; or
 * anywhere, which is after each statement, each step, and at the beginning and the end of each attempt of a handler.
 */
export type DeathPoint = FailPoint

/** Dies when it comes by the point for the n-th time. */
export interface Death {
  point: DeathPoint
  passage: number
}

/** `aheadMs` is what the clock of its handlers is ahead of the machine's. */
export type EndpointOrder = 'serve' | { death: Death | null } | { aheadMs: number }
export type EndpointMessage = 'loaded' | 'ready' | 'armed' | 'clock set'

/**
 * The service endpoint as a process of its own that dies where it is told to: `endpoint.ts <database url> <port>`. It listens,
 * is armed and has its clock set by messages from its parent, and ends with it.
 */
function main(databaseUrl: string, port: number): void {
  let death: Death | null = null
  const reached = (point: DeathPoint) => {
    if (death?.point === point && --death.passage === 0) process.kill(process.pid, 'SIGKILL')
  }
  process.on('disconnect', () => process.exit())
  const db = connect({ url: databaseUrl, name: 'crash endpoint', onConnectionLost: () => undefined })
  const counted = db.withPlugin(
    afterEachStatement(() => {
      reached('statement answered')
      reached('anywhere')
    }),
  )
  const retryPolicy = { initialInterval: 50, maxInterval: 100, maxAttempts: 1_000, onMaxAttempts: 'pause' } as const
  const deps: Deps = {
    ...TEST_DEPS,
    ...{ db: counted, background: counted, retryPolicy },
    tasks: { ...TASKS, 'note-slots': noteSlots },
  }
  const hooks = [() => ({ interceptor: aroundEachStep(() => reached('anywhere')) }), atFailPoints(reached)]
  const machineNow = Date.now
  const obey = async (order: EndpointOrder) => {
    if (order === 'serve') {
      await serveEndpoint(deps, { host: '127.0.0.1', port, log: pino({ level: 'warn' }), hooks })
      tellParent('ready')
    } else if ('aheadMs' in order) {
      Date.now = () => machineNow() + order.aheadMs
      tellParent('clock set')
    } else {
      death = order.death
      tellParent('armed')
    }
  }
  process.on('message', (order: EndpointOrder) => void obey(order))
  tellParent('loaded')
}

function afterEachStatement(answered: () => void): KyselyPlugin {
  return {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      answered()
      return result
    },
  }
}

function aroundEachStep(passed: () => void): Interceptor {
  return {
    handler: async (next) => {
      passed()
      await next()
      passed()
    },
    run: async (_name, next) => {
      await next()
      passed()
    },
  }
}

function tellParent(message: EndpointMessage): void {
  process.send?.(message)
}

main(process.argv[2]!, Number(process.argv[3]))
