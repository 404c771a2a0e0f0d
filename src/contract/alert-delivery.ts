import { z } from 'zod'
import { ALERT_KINDS, type AlertKind } from './alert-condition.ts'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { storableText } from './fields/text.ts'
import { handler, Nothing } from './handler.ts'

/** pending ─► delivered | failed | dropped;  a replay makes each of them pending again. */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed', 'dropped'] as const
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

const kind = z.enum(Object.keys(ALERT_KINDS) as [AlertKind, ...AlertKind[]])

/** The body of a delivery. */
export const DeliveryBody = z.object({
  delivery_id: z.uuid().describe('The same in every attempt and replay: a receiver that knows it has this crossing.'),
  alert_id: z.uuid(),
  kind,
  crossed_at: z.iso.datetime(),
  facts: z.record(z.string(), z.unknown()).describe('What crossed, e.g. the product and its quantity.'),
})
export type DeliveryBody = z.infer<typeof DeliveryBody>

export const AlertDelivery = z.object({
  ...DeliveryBody.shape,
  status: z
    .enum(DELIVERY_STATUSES)
    .describe('failed: given up after a day of attempts. dropped: the alert was deleted before it was delivered.'),
  attempts: z.int(),
  attempted_at: z.iso.datetime().nullable().describe('The last attempt.'),
  next_attempt_at: z.iso.datetime().nullable().describe('null unless it is pending.'),
  answer_status: z.int().nullable().describe('The status of the last answer; null when there was none.'),
  error: z.string().nullable().describe('Why the last attempt failed.'),
})
export type AlertDelivery = z.infer<typeof AlertDelivery>

export const DeliveriesRequest = z.strictObject({
  status: z.enum(DELIVERY_STATUSES).optional().describe('Only deliveries in this state.'),
  limit: pageLimit(20, 'Deliveries of the page.'),
  cursor: pageCursor('meta.next_cursor of the previous page, with the same status.'),
})
export type DeliveriesRequest = z.infer<typeof DeliveriesRequest>

export const DeliveriesResponse = z.object({ data: z.array(AlertDelivery), meta: z.object({ next_cursor: NextCursor }) })
export type DeliveriesResponse = z.infer<typeof DeliveriesResponse>

export const ReplayDelivery = z.strictObject({
  alert_id: z.uuid(),
  delivery_id: z.uuid(),
  actor: storableText(200).describe('The caller, for the audit log.'),
  requested_by: storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.'),
})
export type ReplayDelivery = z.infer<typeof ReplayDelivery>

export const alertReplayHandlers = {
  ReplayDelivery: handler({
    input: ReplayDelivery,
    output: AlertDelivery,
    isForOperators: true,
    description:
      'Sends a delivery again, with its id; 409 while it is pending or after its alert was deleted, 404 if it does not exist.',
  }),
}

export const alertDeliveryHandlers = {
  Deliver: handler({ input: Nothing, description: 'Private. Sends what is due of the alert with this id, one after the other.' }),
}
