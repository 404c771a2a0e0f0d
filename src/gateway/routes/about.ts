import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AboutResponse } from '../../contract/about.ts'
import { SCOPES } from '../../store/access/api-key.ts'
import { newestMigration } from '../../store/database/migration.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

/** Callers that ask so long after a read began share it. */
const JOIN_MS = 1_000

const ABOUT = {
  config: { access: 'any', ofSeller: true, needsSecretKey: true },
  schema: {
    operationId: 'about',
    summary: 'Which Footfall this is, and what the caller may do',
    description: 'For pages and programs that show only what their key allows.',
    tags: ['process'],
    querystring: z.strictObject({}),
    response: { 200: AboutResponse.describe('The program and the caller.') },
  },
} as const satisfies RouteShorthandOptions

export function aboutRoutes({ lines, settings }: RouteDeps): RoutePlugin {
  const { version, restateUiUrl } = settings.about
  const schema = lines.short.shared({ read: (db, _question: undefined) => newestMigration(db), keyOf: () => '', joinMs: JOIN_MS })
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/about', ABOUT, async (request) => {
      const caller = shownCaller(request)
      const restate_ui_url = caller.scopes.includes('manage') ? (restateUiUrl ?? null) : null
      return { data: { version, schema: await schema(undefined, taskCallerOf(request)), restate_ui_url, caller } }
    })
  }
}

function shownCaller({ apiKey }: FastifyRequest): AboutResponse['data']['caller'] {
  if (apiKey === null) return { name: null, scopes: [...SCOPES], seller_id: null }
  return { name: apiKey.name, scopes: [...apiKey.scopes], seller_id: apiKey.sellerId }
}
