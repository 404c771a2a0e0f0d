import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { EndedSessionResponse, SessionsRequest, SessionsResponse } from '../../contract/key.ts'
import { sessionPositionOf, sessionsPage } from '../../store/access/key-list.ts'
import { taskCallerOf } from '../access/caller.ts'
import { invalidCursor } from '../http/problem.ts'
import { createChangeAccess } from '../recording/change-access.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const SessionsQuery = SessionsRequest.extend({
  limit: wholeNumberOfText(1, 100).default(50).describe(SessionsRequest.shape.limit.description!),
})
const SessionId = z.object({
  id: z
    .uuid()
    .toLowerCase()
    .meta({ examples: ['019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11'] })
    .describe('The id of the session, which is not what its cookie has.'),
})
const config = { access: 'manage', isPersonal: true } as const
const tags = ['keys']

const LIST = {
  config,
  schema: {
    operationId: 'sessions',
    summary: 'Sessions',
    description: 'Where people are signed in to the page, the newest first. Ended sessions are left out.',
    tags,
    querystring: SessionsQuery,
    response: { 200: SessionsResponse.describe('A page of sessions.') },
  },
} as const satisfies RouteShorthandOptions

const END = {
  config,
  schema: {
    operationId: 'endSession',
    summary: 'End a session',
    description: 'Within a second. Ending it again changes nothing.',
    tags,
    params: SessionId,
    querystring: z.strictObject({}),
    response: {
      200: EndedSessionResponse.describe('When it ended.'),
      404: ErrorBody.describe('There is no session of this id.'),
      503: ErrorBody.describe('Outcome unknown: send the same again.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** The sessions of all keys and sellers. Signing in and out is in session.ts. */
export function sessionListRoutes({ lines, ...deps }: RouteDeps): RoutePlugin {
  const changeAccess = createChangeAccess(deps)
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/sessions', LIST, async (request) => {
      const { limit, cursor } = request.query
      const after = cursor === undefined ? undefined : sessionPositionOf(cursor)
      if (cursor !== undefined && after === undefined) throw invalidCursor()
      const { data, meta } = await lines.short.read(taskCallerOf(request), (db) => sessionsPage(db, { limit, after }))
      return { data: data.map((session) => ({ ...session, is_current: session.id === request.apiKey?.sessionId })), meta }
    })

    routes.delete('/api/v1/sessions/:id', END, async (request) => {
      const { id, at } = await changeAccess(request, { change: 'end_session', session_id: request.params.id })
      return { data: { id, ended_at: at } }
    })
  }
}
