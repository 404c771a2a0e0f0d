import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { SchedulesResponse } from '../../contract/schedule.ts'
import { createSchedulesClient } from '../../ingress/schedules-client.ts'
import { shareRunning } from '../caching/share-running.ts'
import type { Readiness, RouteDeps, RoutePlugin } from './deps.ts'

const SCHEDULES = {
  config: { access: 'manage' },
  schema: {
    operationId: 'schedules',
    summary: 'What runs by the clock',
    description:
      'Each task with its interval, its next slot, and its last run: when, how long, and with which outcome. A task that is off has `running` false.',
    tags: ['process'],
    querystring: z.strictObject({}),
    response: {
      200: SchedulesResponse.describe('Every task.'),
      503: ErrorBody.describe('Restate or the service endpoint does not answer, or the services are not registered; try again.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** An answer is shared for a second, because each one takes a call for each task. */
const SCHEDULES_MS_MAX = 1_000

/** An operator looks at them, also while Restate does not answer. */
const ANSWER_MS_MAX = 1_800

export function scheduleRoutes({ ingress, readiness }: RouteDeps): RoutePlugin {
  const ask = createSchedulesClient(ingress, ANSWER_MS_MAX)
  const schedules = shareRunning(async () => {
    // Asked at the same time, so that the reason does not come later than the failure.
    const reason = readiness().then(reasonOf, () => RESTATE)
    try {
      return await ask()
    } catch (cause) {
      throw new DecidedError('unavailable', `${await reason}; try again`, { cause })
    }
  }, SCHEDULES_MS_MAX)
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/schedules', SCHEDULES, async () => ({ data: await schedules() }))
  }
}

const RESTATE = 'Restate does not answer'

/** Each schedule is a call of the endpoint through Restate. */
function reasonOf({ restate, registration, endpoint }: Readiness): string {
  if (!restate) return RESTATE
  if (!registration) return 'the services are not registered with Restate'
  return endpoint ? 'Restate does not answer in time' : 'the service endpoint does not answer'
}
