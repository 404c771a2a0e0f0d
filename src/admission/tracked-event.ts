import { DecidedError, invalidField } from '../contract/decided-error.ts'
import { instantOf } from '../contract/fields/time.ts'
import type { Interaction } from '../contract/interaction.ts'
import { interactionOfTracked, TrackedEvent } from '../contract/tracked-event.ts'
import { newEventId, storableItem } from './event-identity.ts'
import { columnsOf, type NewInteraction } from './interaction.ts'
import { judgeLogged } from './logged-event.ts'
import type { LeftOut } from './parse-item.ts'
import type { Privacy } from './privacy.ts'
import type { ItemProblem } from './rows.ts'
import { ageProblem } from './time-problem.ts'

const TRACKED = {
  schema: TrackedEvent,
  noun: 'an event',
  columnsOf: (event: TrackedEvent) => columnsOf(interactionOfTracked(event)),
}

export interface JudgedTrackedEvent {
  row: NewInteraction
  /** The interaction with its identity, as it is recorded. */
  interaction: Interaction
  /** The fields that it is recorded without. */
  warnings: readonly LeftOut[]
}

interface Judging {
  privacy: Privacy
  nowMs: number
  /** The greatest age of an event; undefined for any. */
  daysMax: number | undefined
}

/**
 * Judges a single event as the items of a list of interactions are judged, but decides at once: nothing of a wrong one is kept, because
 * its sender learns of it. An event without an id gets one. @throws DecidedError with the wrong field.
 */
export function judgeTrackedEvent(sent: unknown, { privacy, nowMs, daysMax }: Judging): JudgedTrackedEvent {
  const item = storableItem(sent, privacy)
  const { rows, rejections, warnings } = judgeLogged<TrackedEvent, NewInteraction>(TRACKED, [item], nowMs, (_index, timeMs) =>
    newEventId(timeMs),
  )
  const [row] = rows
  if (row === undefined) throw refusalOf(rejections[0]!)
  const interaction = interactionOfRow(row)
  const old = daysMax === undefined ? undefined : ageProblem(interaction, daysMax, nowMs)
  if (old !== undefined) throw refusalOf(old)
  return { row, interaction, warnings: warnings.map(({ field, message }) => ({ field, message })) }
}

function refusalOf({ field, message }: ItemProblem): DecidedError {
  if (field !== null) return invalidField(field, message)
  return new DecidedError('invalid_request', `the body: ${message}`, { details: [{ field: null, message }] })
}

/** An event_key is its id here, and another time of the sender is in milliseconds: both identify the same event. */
function interactionOfRow(row: NewInteraction): Interaction {
  return {
    event_id: row.eventId,
    occurred_at: instantOf(row.occurredAtMs),
    sent_at: row.sentAtMs === undefined ? undefined : instantOf(row.sentAtMs),
    account_id: row.accountId ?? undefined,
    account_number: row.accountNumber ?? undefined,
    session_id: row.sessionId ?? undefined,
    event_type: row.eventType,
    ref_type: row.refType,
    ref_id: row.refId,
    metadata: row.metadata as Interaction['metadata'],
    user_agent: row.userAgent ?? undefined,
    ip_address: row.ipAddress ?? undefined,
  }
}
