import { z } from 'zod'
import { analyticsEventHandlers } from './analytics-event.ts'
import { handler, redescribed } from './handler.ts'
import { impressionHandlers } from './impression.ts'
import { interactionHandlers } from './interaction.ts'
import { paymentHandlers } from './payment.ts'
import { catalogHandlers } from './product.ts'
import { searchHandlers } from './search.ts'

/*
 * Calls that may have to wait long for PostgreSQL wait in the inboxes of a few virtual objects, the recorders, because an invocation
 * in an inbox holds none of the places in Restate. A recorder records one call after the other.
 */

/** The recorders of what gateways accept without waiting for the outcome. */
export const RECORDERS = ['0', '1', '2', '3'] as const

/** The same for events of long ago: a batch of many months takes long, and must not hold up current events. */
export const OLD_RECORDER = 'old'

/** The recorders of direct calls that found PostgreSQL away and left their places. */
export const DIRECT_RECORDERS = ['direct-0', 'direct-1', 'direct-2', 'direct-3'] as const

/** The recorder of impressions, which must not hold up events. */
export const IMPRESSION_RECORDER = 'impressions'

/** One of the recorders, always the same one for a text. */
export function recorderOf<Key extends string>(text: string, recorders: readonly Key[]): Key {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return recorders[(hash >>> 0) % recorders.length]!
}

/**
 * The invocation whose events a call records, when that is another one: its batch is claimed by that invocation. Behind a space the SHA-256 of its
 * body, when the body is another one now.
 */
export const CALL_HEADER = 'footfall-call'

/** When that invocation began, in ms since 1970: the time of events that come without one. */
export const RECEIVED_HEADER = 'footfall-received'

/** On a call whose caller was told already that its events are safe. It is never refused. */
export const ACKNOWLEDGED_HEADER = 'footfall-acknowledged'

/** The handlers that record, as Analytic and Catalog have them; impressions only recorders have. */
const recordingHandlers = {
  ...interactionHandlers,
  ...searchHandlers,
  ...paymentHandlers,
  ...analyticsEventHandlers,
  UpsertProducts: catalogHandlers.UpsertProducts,
  ...impressionHandlers,
}
export type RecordingHandlers = typeof recordingHandlers

export const recorderHandlers = redescribed(
  recordingHandlers,
  (name) =>
    `${name} for senders that do not wait: calls with the same key are recorded one after the other, and an outage of PostgreSQL ends none of them.`,
)

export const setAsideHandlers = redescribed(
  recordingHandlers,
  (name) => `Private. ${name}, after it failed in a recorder for another reason than an outage. Pauses when it fails again.`,
)

export const ReserveRequest = z.strictObject({
  gateway: z.string().min(1).max(100).describe('The process that reserves.'),
  bytes: z.int().min(0).describe('How much it may have waiting in all; replaces its reservation.'),
  bytes_max: z.int().min(0).describe('The bound for all gateways.'),
})

export const ReserveResponse = z.object({
  granted: z.boolean().describe('false when all gateways together would have more than the bound; then nothing changes.'),
})

export const recorderRoomHandlers = {
  Reserve: handler({
    input: ReserveRequest,
    output: ReserveResponse,
    description:
      'For gateways. Reserves room in the inbox of the recorder with the same key, for an hour. Touches nothing but the state of this object.',
  }),
}
