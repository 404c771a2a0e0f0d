import { randomBytes } from 'node:crypto'
import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { sealed } from '../../admission/sealed-secret.ts'
import { Alert, ALERTS_MAX, ChangeAlertRequest, CreateAlertRequest, RotateSecretRequest } from '../../contract/alert.ts'
import { ErrorBody } from '../../contract/error.ts'
import { storableText } from '../../contract/fields/text.ts'
import { createAlertsClient } from '../../ingress/alerts-client.ts'
import { findAlert, listAlerts, noAlert } from '../../store/alerts/alert.ts'
import { callerIdOf, hangUpOf, taskCallerOf } from '../access/caller.ts'
import type { Tag } from '../http/openapi.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const ALERTS_TAG: Tag = {
  name: 'alerts',
  description: 'Webhooks about stock, lists and searches: each crossing of a condition is delivered, with a signature.',
}

const EXAMPLE: Alert = {
  id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11',
  name: 'Lamps run out',
  kind: 'low_stock',
  below: 10,
  filter: { category: 'lighting' },
  url: 'https://hooks.example.com/stock',
  is_on: true,
  made_by: 'local',
  made_at: '2026-03-01T12:00:00.000Z',
  pending: 0,
  failed: 0,
}
const SECRET_EXAMPLE = 'xYJ3n2nZ0m0b3H1ZPpV1m2s7cQ5t9k4e8w6r0u2i4o8'

const One = z.object({ data: Alert }).meta({ examples: [{ data: EXAMPLE }] })
const Several = z.object({ data: z.array(Alert) }).meta({ examples: [{ data: [EXAMPLE] }] })
const WithSecret = z
  .object({ data: Alert, meta: z.object({ secret: z.string().describe('Shown this once.') }) })
  .meta({ examples: [{ data: EXAMPLE, meta: { secret: SECRET_EXAMPLE } }] })
const AlertId = z.object({
  id: z
    .uuid()
    .toLowerCase()
    .meta({ examples: [EXAMPLE.id] })
    .describe('The id of the alert.'),
})
const headers = z.object({
  'x-actor': storableText(200).optional().describe('On whose behalf, unless the body says it: recorded as the caller claims it.'),
})
const querystring = z.strictObject({})
const config = { access: 'manage' } as const
const tags = ['alerts']
const NONE = ErrorBody.describe('There is no alert of this id.')
const UNKNOWN = ErrorBody.describe('Outcome unknown: ask for the alert, or send the same again.')

const CREATE = {
  config,
  schema: {
    operationId: 'createAlert',
    summary: 'Make an alert',
    description:
      'From now on each crossing is sent to the address as a POST with `x-signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, the scheme of payment callbacks, and `x-delivery-id`. What is beyond the condition already has not crossed it.',
    tags,
    headers,
    body: CreateAlertRequest,
    querystring,
    response: {
      200: WithSecret.describe('The alert, and its secret.'),
      409: ErrorBody.describe(`There are ${ALERTS_MAX} alerts.`),
      503: ErrorBody.describe('Outcome unknown: ask for the alerts, because it may have been made.'),
    },
  },
} as const satisfies RouteShorthandOptions

const LIST = {
  config,
  schema: {
    operationId: 'alerts',
    summary: 'Alerts',
    description: 'Every alert but the deleted ones, the oldest first.',
    tags,
    querystring,
    response: { 200: Several.describe('The alerts.') },
  },
} as const satisfies RouteShorthandOptions

const GET = {
  config,
  schema: {
    operationId: 'alert',
    summary: 'An alert',
    description: 'A deleted alert too.',
    tags,
    params: AlertId,
    querystring,
    response: { 200: One.describe('The alert.'), 404: NONE },
  },
} as const satisfies RouteShorthandOptions

const CHANGE = {
  config,
  schema: {
    operationId: 'changeAlert',
    summary: 'Change an alert',
    description:
      'Its name, its address, or whether it is on. An alert that is off notes no crossings; deliveries that wait are sent all the same. The condition stays: another condition is another alert.',
    tags,
    headers,
    params: AlertId,
    body: ChangeAlertRequest,
    querystring,
    response: { 200: One.describe('The alert.'), 404: NONE, 503: UNKNOWN },
  },
} as const satisfies RouteShorthandOptions

const DELETE = {
  config,
  schema: {
    operationId: 'deleteAlert',
    summary: 'Delete an alert',
    description: 'Drops what was not sent yet. Its deliveries stay listed. Deleting it again changes nothing.',
    tags,
    headers,
    params: AlertId,
    querystring,
    response: { 200: One.describe('The alert, which is deleted.'), 404: NONE, 503: UNKNOWN },
  },
} as const satisfies RouteShorthandOptions

const ROTATE = {
  config,
  schema: {
    operationId: 'rotateAlertSecret',
    summary: 'Change the secret',
    description:
      'Deliveries have a signature of each valid secret: of the new one from now on, and of the one before for `old_hours` more. A secret before these two ends at once. With 0 the one before ends at once. A secret that is the newest already changes nothing, so a request that brings one can be sent again.',
    tags,
    headers,
    params: AlertId,
    body: RotateSecretRequest.nullish().meta({ examples: [{ old_hours: 48 }] }),
    querystring,
    response: { 200: WithSecret.describe('The alert, and its new secret.'), 404: NONE, 503: UNKNOWN },
  },
} as const satisfies RouteShorthandOptions

/** A few kilobytes. */
const NO_BODY = new Uint8Array()
const SECRET_BYTES = 32

export function alertRoutes({ lines, ingress, recording }: RouteDeps): RoutePlugin {
  const client = createAlertsClient(ingress, sealed)
  /** Runs a call in turn with those of other callers. */
  const inTurn = <T>(request: FastifyRequest, call: () => Promise<T>, advice = 'ask for the alert, or send the same again') =>
    recording.gate({ caller: callerIdOf(request), signal: hangUpOf(request), body: NO_BODY }, call).catch((error: unknown) => {
      throw unknownOutcome(error, advice)
    })
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post('/api/v1/alerts', CREATE, async (request) => {
      const { secret = newSecret(), requested_by: requestedBy, ...described } = request.body
      const alert = { ...described, ...byOf(request, requestedBy) }
      const data = await inTurn(request, () => client.create(alert, secret), 'ask for the alerts, because it may have been made')
      return { data, meta: { secret } }
    })

    routes.get('/api/v1/alerts', LIST, async (request) => ({ data: await lines.short.read(taskCallerOf(request), listAlerts) }))

    routes.get('/api/v1/alerts/:id', GET, async (request) => {
      const { id } = request.params
      const data = await lines.short.read(taskCallerOf(request), (db) => findAlert(db, id))
      if (data === undefined) throw noAlert(id)
      return { data }
    })

    routes.patch('/api/v1/alerts/:id', CHANGE, async (request) => {
      const { requested_by: requestedBy, ...changes } = request.body
      const change = { alert_id: request.params.id, ...changes, ...byOf(request, requestedBy) }
      return { data: await inTurn(request, () => client.change(change)) }
    })

    routes.delete('/api/v1/alerts/:id', DELETE, async (request) => ({
      data: await inTurn(request, () => client.delete({ alert_id: request.params.id, ...byOf(request) })),
    }))

    routes.post('/api/v1/alerts/:id/secret', ROTATE, async (request) => {
      const { secret = newSecret(), old_hours, requested_by: requestedBy } = request.body ?? RotateSecretRequest.parse({})
      const rotation = { alert_id: request.params.id, old_hours, ...byOf(request, requestedBy) }
      const data = await inTurn(request, () => client.rotateSecret(rotation, secret))
      return { data, meta: { secret } }
    })
  }
}

function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url')
}

/** The name of the caller's key, "local" as long as no keys are used, and on whose behalf it says it acts. */
function byOf(request: FastifyRequest, requestedBy = request.headers['x-actor'] as string | undefined) {
  return { actor: request.apiKey?.name ?? 'local', ...(requestedBy !== undefined && { requested_by: requestedBy }) }
}
