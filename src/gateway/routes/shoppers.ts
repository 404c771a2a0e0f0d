import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { shopperOf } from '../../contract/fields/shopper-id.ts'
import { ContextRequest, ContextResponse } from '../../contract/shopper-context.ts'
import { readShopperEvents } from '../../external/shopper-events.ts'
import { contextAnswerOf } from '../../ranking/shopper-context-answer.ts'
import { contextOf } from '../../ranking/shopper-context.ts'
import { taskCallerOf } from '../access/caller.ts'
import { shopperLayersOf } from '../shoppers/shopper-layers.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const SHOPPERS_TAG = { name: 'shoppers', description: 'What shoppers did and like, and whose sessions are whose.' }

const CONTEXT = {
  config: { access: 'read', isPersonal: true },
  schema: {
    operationId: 'shopperContext',
    summary: 'What a shopper does now',
    description:
      'The current visit: its products, each once and with the newest event, how many events each category has, and the newest event. A visit reaches back to the first pause of more than `SHOPPER_IDLE_MINUTES`, 15 unless set, and has at most the newest 100 events. The context of an account includes its sessions, and a session that belongs to an account has the context of the account. A shopper who is not active, or unknown, has an empty one. An event from a clock that is fast counts as of now. An event of `POST /api/v1/event` is in the context as soon as it is answered, for this gateway or, with a Redis in `SHOPPER_STORE`, for all; any other event when it is recorded. While PostgreSQL or the Redis does not answer, events may be missing, and `meta.is_partial` is true.',
    tags: ['shoppers'],
    params: ContextRequest,
    querystring: z.strictObject({}),
    response: { 200: ContextResponse.describe('The context, which may be empty.') },
  },
} as const satisfies RouteShorthandOptions

export function shopperRoutes(deps: RouteDeps): RoutePlugin {
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/shoppers/:shopper_id/context', CONTEXT, async (request) => {
      const shopper = shopperOf(request.params.shopper_id)!
      const { events, isPartial } = await readShopperEvents(shopperLayersOf(deps, taskCallerOf(request)), shopper)
      const data = contextAnswerOf(contextOf(events, Date.now(), deps.settings.context))
      return { data, meta: { is_partial: isPartial } }
    })
  }
}
