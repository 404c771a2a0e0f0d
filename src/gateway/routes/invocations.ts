import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { StuckInvocationsResponse } from '../../contract/invocation.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const INVOCATIONS = {
  config: { access: 'manage' },
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

export function invocationRoutes({ stuckInvocations }: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/invocations', INVOCATIONS, async (request) => {
      if (stuckInvocations === undefined)
        throw notFound('this gateway does not know the admin port of its Restate: RESTATE_ADMIN_URL')
      return stuckInvocations().catch((error: unknown) => {
        request.failure = error
        throw new DecidedError('unavailable', 'Restate does not answer; try again')
      })
    })
  }
}
