import { DecidedError } from '../../contract/decided-error.ts'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { type ScheduleState, SchedulesResponse } from '../../contract/schedule.ts'

import { shareRunning } from '../caching/share-running.ts'

export function scheduleRoutes(deps: { schedules: () => Promise<ScheduleState[]> }) {
  const schedules = shareRunning(deps.schedules)
  return async (app: FastifyInstance) => {
    app.withTypeProvider<ZodTypeProvider>().get(
      '/api/v1/schedules',
      {
        config: { access: 'manage' },
        schema: {
          operationId: 'schedules',
          summary: 'What runs by the clock',
          description:
            'Each task with its interval, its next slot, and its last run: when, how long, and what became of it. A task that is off has `running` false.',
          tags: ['process'],
          querystring: z.strictObject({}),
          response: {
            200: SchedulesResponse.describe('Every task.'),
            503: ErrorBody.describe('Restate does not answer; try again.'),
          },
        },
      },
      async () => {
        try {
          return { data: await schedules() }
        } catch (cause) {
          throw new DecidedError('unavailable', 'Restate does not answer; try again', { cause })
        }
      },
    )
  }
}
