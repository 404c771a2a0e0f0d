import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { createGateway } from '../../../src/gateway/server.ts'
import { ONLY_KEYS } from '../items/known-key.ts'
import { connect } from '../../../src/store/database/connection.ts'
import { type GatewayChanges, gatewayDepsOf } from './gateway.ts'

const NO_KEYS = { areUsed: false, find: () => undefined, ofId: () => undefined, origins: new Set<string>() }

export interface OfflineGateway {
  app: FastifyInstance
  /** Listens on a free port. @returns the port. */
  listen: () => Promise<number>
  [Symbol.asyncDispose]: () => Promise<void>
}

/** A gateway without keys that reaches neither PostgreSQL nor Restate. */
export async function offlineGateway(changes: GatewayChanges = {}): Promise<OfflineGateway> {
  const db = connect({ url: 'postgres://127.0.0.1:1/none', name: 'test' })
  const access = { ...ONLY_KEYS, keys: async () => NO_KEYS }
  const deps = gatewayDepsOf({ db, ingressUrl: 'http://127.0.0.1:1' }, { access, ...changes })
  const app = await createGateway({ ...deps, log: pino({ level: 'silent' }) })
  return {
    app,
    listen: async () => Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port),
    [Symbol.asyncDispose]: async () => {
      app.server.closeAllConnections()
      await Promise.all([app.close(), db.destroy()])
    },
  }
}
