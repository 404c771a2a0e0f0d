import { subscribe } from 'node:diagnostics_channel'
import type { FastifyInstance } from 'fastify'
import { readConfig } from '../../../src/main/config/config.ts'
import { connect } from '../../../src/store/database/connection.ts'
import { topByScore } from '../../../src/store/popularity/top-list.ts'
import { STATIC_ITEMS, STATIC_PATH, TOP_PATH } from '../measure/read-run.ts'

/**
 * The gateway with one more page: the top list as it was at the start. That page costs what any answer of this size costs in this
 * process (HTTP, hooks, log line, serializer), and nothing else.
 */
const db = connect({ url: readConfig(process.env).DATABASE_URL!, name: 'bench page', connectionsMax: 1, readOnly: true })
const page = await topByScore(db, { limit: STATIC_ITEMS, after: undefined })
await db.destroy()

subscribe('fastify.initialization', (message) => {
  const { fastify } = message as { fastify: FastifyInstance }
  fastify.addHook('onRoute', function addStaticPage({ url, method, config, schema }) {
    if (url !== TOP_PATH || method !== 'GET') return
    this.get(STATIC_PATH, { config: { ...config }, schema: { hide: true, response: schema?.response } }, async () => page)
  })
})
await import('../../../src/main/gateway.ts')
