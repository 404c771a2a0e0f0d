import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { StuckInvocationsResponse } from '../../contract/invocation.ts'
import { shareRunning } from '../caching/share-running.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const INVOCATIONS = {
  // An error may quote what a person sent.
  config: { access: 'manage', isPersonal: true },
  schema: {
    operationId: 'stuckInvocations',
    summary: 'Invocations that fail',
    description:
      'Calls of handlers that are paused until an operator resumes them, and those that are tried again, as Restate has them. `/api/v1/about` says where Restate shows an invocation.',
    tags: ['process'],
    querystring: z.strictObject({}),
    response: {
      200: StuckInvocationsResponse.describe('At most 100 of them.'),
      404: ErrorBody.describe('The gateway does not know the admin port of its Restate (RESTATE_ADMIN_URL).'),
      503: ErrorBody.describe('Restate does not answer.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** An answer is shared for so long, because Restate looks through all of its invocations for it, and every open page asks. */
const INVOCATIONS_MS_MAX = 1_000

export function invocationRoutes({ stuckInvocations }: RouteDeps): RoutePlugin {
  const stuck = stuckInvocations && shareRunning(stuckInvocations, INVOCATIONS_MS_MAX)
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/invocations', INVOCATIONS, async (request) => {
      if (stuck === undefined) throw notFound('this gateway does not know the admin port of its Restate: RESTATE_ADMIN_URL')
      return stuck().catch((error: unknown) => {
        request.failure = error
        throw new DecidedError('unavailable', 'Restate does not answer; try again')
      })
    })
  }
}
