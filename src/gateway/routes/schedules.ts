import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { SchedulesResponse } from '../../contract/schedule.ts'
import { createSchedulesClient } from '../../ingress/schedules-client.ts'
import { shareRunning } from '../caching/share-running.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

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
      503: ErrorBody.describe('Restate does not answer; try again.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** An answer is shared for a second, because each one takes a call for each task. */
const SCHEDULES_MS_MAX = 1_000

export function scheduleRoutes({ ingress }: RouteDeps): RoutePlugin {
  const schedules = shareRunning(createSchedulesClient(ingress), SCHEDULES_MS_MAX)
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/schedules', SCHEDULES, async () => {
      try {
        return { data: await schedules() }
      } catch (cause) {
        throw new DecidedError('unavailable', 'Restate does not answer; try again', { cause })
      }
    })
  }
}
