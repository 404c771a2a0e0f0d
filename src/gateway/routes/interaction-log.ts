import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { invalidField } from '../../contract/decided-error.ts'
import { InteractionsRequest, InteractionsResponse } from '../../contract/interaction-log.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { interactionPage } from '../../store/log/interaction-page.ts'
import { endOfCellBefore } from '../../store/popularity/cell-before.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const INTERACTIONS = {
  config: { access: 'manage', isPersonal: true },
  schema: {
    operationId: 'interactions',
    summary: 'The log of interactions',
    description:
      'Newest first, by `occurred_at`, with at most one of the four filters. The log is kept by time, so a page looks at no more than 200,000 interactions: with a filter it may be short of its limit, or empty, although `next_cursor` goes on, and `searched_to` says how far it came. A batch is found at once. With `product_id`, hours in which no interaction with the product was counted are passed over, so that an event that waits for longer than an hour to be counted may be missing until then. Persons are shown as the log has them: what `PRIVACY_IP_ADDRESS` and `PRIVACY_USER_AGENT` drop is null, and erased persons have pseudonyms.',
    tags: ['interactions'],
    querystring: InteractionsRequest.extend({
      limit: wholeNumberOfText(1, 100).default(50).describe(InteractionsRequest.shape.limit.description!),
    }),
    response: { 200: InteractionsResponse.describe('A page of the log.') },
  },
} as const satisfies RouteShorthandOptions

export function interactionLogRoutes({ lines }: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/analytic/interactions', INTERACTIONS, async (request) => {
      const { from, to } = request.query
      if (from !== undefined && to !== undefined && Date.parse(from) > Date.parse(to))
        throw invalidField('from', 'must not be after to')
      const caller = taskCallerOf(request)
      return interactionPage((work) => lines.long.read(caller, work), request.query, { nowMs: Date.now(), endOfCellBefore })
    })
  }
}
