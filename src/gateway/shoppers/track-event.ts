import type { FastifyRequest } from 'fastify'
import { hasFields, isIdentified } from '../../admission/event-identity.ts'
import type { NewInteraction } from '../../admission/interaction.ts'
import { charactersOf, earliestMsOf, partEndsOf } from '../../admission/item-parts.ts'
import type { Privacy } from '../../admission/privacy.ts'
import { judgeTrackedEvent, type JudgedTrackedEvent } from '../../admission/tracked-event.ts'
import { DecidedError, invalidField } from '../../contract/decided-error.ts'
import { shopperIdOf } from '../../contract/fields/shopper-id.ts'
import type { TrackedEventResponse } from '../../contract/tracked-event.ts'
import type { LiveEvents } from '../../external/live-events.ts'
import type { ShopperEvent } from '../../ranking/shopper-event.ts'
import type { EventRate } from '../access/event-rate.ts'
import type { CatalogEntries } from '../caching/catalog-entries.ts'
import { senderOf } from '../recording/sender.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { Recording } from '../recording/ways.ts'

export interface TrackDeps {
  recording: Pick<Recording, 'ways'>
  live: LiveEvents
  catalogEntries: CatalogEntries
  eventRate: EventRate
  settings: { privacy: Privacy; publishableDaysMax: number }
}

/**
 * Hands one event to Restate with those of other requests, and then adds it to what its shopper did last. In this order, because an
 * event that was refused must not show. @throws DecidedError for a wrong event, and when the outcome is unknown.
 */
export async function trackEvent(deps: TrackDeps, request: FastifyRequest): Promise<TrackedEventResponse> {
  const { settings, eventRate } = deps
  const { body } = request
  await eventRate.take(request, [body])
  refuseKeyWithoutId(request)
  const { privacy, publishableDaysMax } = settings
  const daysMax = request.apiKey?.isPublishable ? publishableDaysMax : undefined
  const judged = judgeTrackedEvent(body, { privacy, nowMs: Date.now(), daysMax })
  await submit(deps, request, judged)
  const { row, interaction, warnings } = judged
  await keepLive(deps, row)
  const identity = { event_id: interaction.event_id!, occurred_at: interaction.occurred_at! }
  return warnings.length === 0 ? identity : { ...identity, warnings: [...warnings] }
}

/** The answer to the first request is not kept, so the key alone could not make a repeated one the same event. */
function refuseKeyWithoutId({ headers, body }: FastifyRequest): void {
  if (headers['idempotency-key'] === undefined || (hasFields(body) && isIdentified(body))) return
  throw invalidField('idempotency-key', 'is not kept for single events: give the event an event_id, and resend with that')
}

async function submit({ recording }: TrackDeps, request: FastifyRequest, { interaction }: JudgedTrackedEvent): Promise<void> {
  const json = JSON.stringify(interaction)
  const partEnds = partEndsOf([json], charactersOf, [earliestMsOf(interaction)])
  try {
    await recording.ways.interaction.groupSubmit.record({ json, count: 1, partEnds, ...senderOf(request) })
  } catch (error) {
    if (error instanceof DecidedError) throw error
    const { event_id, occurred_at } = interaction
    throw unknownOutcome(error, 'resend the same event', { details: { events: [{ index: 0, event_id, occurred_at }] } })
  }
}

/** Interactions with categories are not part of what a shopper did with products. */
async function keepLive({ live, catalogEntries }: TrackDeps, row: NewInteraction): Promise<void> {
  if (row.refType !== 'Product') return
  const shopperId = shopperOf(row)
  const event: ShopperEvent = {
    eventId: row.eventId,
    occurredAtMs: row.occurredAtMs,
    productId: row.refId,
    eventType: row.eventType,
  }
  const entry = catalogEntries.known(row.refId)
  await live.keep(shopperId, { ...event, ...entry })
  if (entry === undefined) void describeLater({ live, catalogEntries }, shopperId, event)
}

/** As the profiles: an event with an account and a session is of the account. */
function shopperOf({ accountId, sessionId }: NewInteraction): string {
  return accountId === null ? shopperIdOf({ kind: 'session', id: sessionId! }) : shopperIdOf({ kind: 'account', id: accountId })
}

/** The caller does not wait for the catalog. */
async function describeLater(
  { live, catalogEntries }: Pick<TrackDeps, 'live' | 'catalogEntries'>,
  shopperId: string,
  event: ShopperEvent,
) {
  const entry = await catalogEntries.load(event.productId)
  if (entry?.category !== undefined || entry?.brand !== undefined) await live.describe(shopperId, { ...event, ...entry })
}
