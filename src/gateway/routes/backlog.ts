import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { BacklogResponse } from '../../contract/backlog.ts'
import { backlog } from '../../store/log/backlog.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

/** An answer is shared for so long, because a read of many waiting batches takes milliseconds, and every open page asks. */
const BACKLOG_MS_MAX = 500

const BACKLOG = {
  config: { access: 'read' },
  schema: {
    operationId: 'backlog',
    summary: 'What is recorded and not yet counted',
    description:
      'Batches of events that wait to be counted into popularity, and to be fed to the shopper profiles. The numbers are up to half a second old. `counting.oldest_seconds` says how far counting is behind.',
    tags: ['process'],
    querystring: z.strictObject({}),
    response: { 200: BacklogResponse.describe('The waiting batches.') },
  },
} as const satisfies RouteShorthandOptions

export function backlogRoutes({ lines }: RouteDeps): RoutePlugin {
  const waiting = lines.short.shared({ read: (db) => backlog(db), keyOf: () => '', joinMs: BACKLOG_MS_MAX })
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/backlog', BACKLOG, async (request): Promise<BacklogResponse> => {
      const now = await waiting(undefined, taskCallerOf(request))
      return {
        data: {
          waiting_batches: now.waitingBatches,
          waiting_events: now.waitingEvents,
          oldest_seconds: now.oldestSeconds,
          counting: { batches: now.uncountedBatches, events: now.uncountedEvents, oldest_seconds: now.uncountedSeconds },
          feeding: { batches: now.unfedBatches, events: now.unfedEvents, oldest_seconds: now.unfedSeconds },
        },
      }
    })
  }
}
