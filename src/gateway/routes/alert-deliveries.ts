import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AlertDelivery, DeliveriesRequest, DeliveriesResponse } from '../../contract/alert-delivery.ts'
import { ErrorBody } from '../../contract/error.ts'
import { storableText } from '../../contract/fields/text.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { alertApi } from '../../contract/services.ts'
import { findAlert, noAlert } from '../../store/alerts/alert.ts'
import { deliveriesOf } from '../../store/alerts/delivery-list.ts'
import { callerIdOf, hangUpOf, taskCallerOf } from '../access/caller.ts'
import { invalidCursor } from '../http/problem.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const EXAMPLE: AlertDelivery = {
  delivery_id: '019cb2f9-1c40-7a52-9d3e-2f0f7c1b8e55',
  alert_id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11',
  kind: 'low_stock',
  crossed_at: '2026-03-01T13:00:00.000Z',
  facts: {
    product_id: 'lamp',
    name: 'Brass lamp',
    category: 'lighting',
    quantity: 9,
    previous_quantity: 12,
    below: 10,
    updated_at: '2026-03-01T12:59:59.000Z',
  },
  status: 'delivered',
  attempts: 1,
  attempted_at: '2026-03-01T13:00:02.000Z',
  next_attempt_at: null,
  answer_status: 204,
  error: null,
}

const Delivery = z.object({ data: AlertDelivery }).meta({ examples: [{ data: EXAMPLE }] })
const Deliveries = DeliveriesResponse.meta({ examples: [{ data: [EXAMPLE], meta: { next_cursor: null } }] })
const idOf = (example: string, description: string) =>
  z
    .uuid()
    .toLowerCase()
    .meta({ examples: [example] })
    .describe(description)
const AlertId = z.object({ id: idOf(EXAMPLE.alert_id, 'The id of the alert.') })
const DeliveryId = AlertId.extend({ delivery_id: idOf(EXAMPLE.delivery_id, 'The id of the delivery.') })
const { shape } = DeliveriesRequest
const DeliveriesQuery = DeliveriesRequest.extend({
  limit: wholeNumberOfText(1, 100).default(20).describe(shape.limit.description!),
})
const config = { access: 'manage' } as const
const tags = ['alerts']

const DELIVERIES = {
  config,
  schema: {
    operationId: 'alertDeliveries',
    summary: 'Deliveries of an alert',
    description: 'The newest first, failed ones included. A delivery is kept for DELIVERY_DAYS after its end.',
    tags,
    params: AlertId,
    querystring: DeliveriesQuery,
    response: { 200: Deliveries.describe('A page of deliveries.'), 404: ErrorBody.describe('There is no alert of this id.') },
  },
} as const satisfies RouteShorthandOptions

const REPLAY = {
  config,
  schema: {
    operationId: 'replayAlertDelivery',
    summary: 'Send a delivery again',
    description: 'With the same id and body, for a day if it fails.',
    tags,
    headers: z.object({
      'x-actor': storableText(200).optional().describe('On whose behalf: recorded as the caller claims it.'),
    }),
    params: DeliveryId,
    querystring: z.strictObject({}),
    response: {
      200: Delivery.describe('The delivery, which is pending.'),
      404: ErrorBody.describe('The alert has no such delivery.'),
      409: ErrorBody.describe('It is pending, or its alert was deleted.'),
      503: ErrorBody.describe('Outcome unknown: ask for the delivery, or replay it again.'),
    },
  },
} as const satisfies RouteShorthandOptions

const NO_BODY = new Uint8Array()

export function alertDeliveryRoutes({ lines, ingress, recording }: RouteDeps): RoutePlugin {
  /** Replays in turn with the calls of other callers. */
  const replay = (request: FastifyRequest, ids: { alert_id: string; delivery_id: string }) => {
    const requestedBy = request.headers['x-actor'] as string | undefined
    const by = { actor: request.apiKey?.name ?? 'local', ...(requestedBy !== undefined && { requested_by: requestedBy }) }
    const turn = { caller: callerIdOf(request), signal: hangUpOf(request), body: NO_BODY }
    return recording
      .gate(turn, () => ingress.call(alertApi, 'ReplayDelivery', { ...ids, ...by }))
      .catch((error: unknown) => {
        throw unknownOutcome(error, 'ask for the delivery, or replay it again')
      })
  }
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/alerts/:id/deliveries', DELIVERIES, async (request) => {
      const { id } = request.params
      return lines.short.read(taskCallerOf(request), async (db) => {
        if ((await findAlert(db, id)) === undefined) throw noAlert(id)
        const page = await deliveriesOf(db, id, request.query)
        if (page === undefined) throw invalidCursor()
        return page
      })
    })

    routes.post('/api/v1/alerts/:id/deliveries/:delivery_id/replay', REPLAY, async (request) => {
      const { id, delivery_id } = request.params
      return { data: await replay(request, { alert_id: id, delivery_id }) }
    })
  }
}
