import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PreferencesRequest, PreferencesResponse } from '../../contract/preferences.ts'
import { preferencesOf } from '../../store/preferences/preferences.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const PREFERENCES = {
  config: { access: 'read', isPersonal: true },
  schema: {
    operationId: 'preferences',
    summary: 'What a shopper likes and bought',
    description:
      'Affinities with categories and brands, the last 100 interactions with products, and what was bought and taken back. An account includes its merged sessions, and a merged session is answered as its account. Computed for each answer from what was fed so far; an unknown shopper has empty lists.',
    tags: ['shoppers'],
    params: PreferencesRequest,
    querystring: z.strictObject({}),
    response: { 200: PreferencesResponse.describe('The shopper.') },
  },
} as const satisfies RouteShorthandOptions

/** A few index probes for nearly every shopper, so it waits in the line of short reads; 10,000 interactions cost some 20 ms. */
export function preferencesRoutes({ lines, settings }: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/shoppers/:shopper_id/preferences', PREFERENCES, async (request) => {
      const { shopper_id: shopperId } = request.params
      const data = await lines.short.read(taskCallerOf(request), (db) =>
        preferencesOf(db, shopperId, Date.now(), settings.preferences),
      )
      return { data }
    })
  }
}
