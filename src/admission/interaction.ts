import type { Interaction } from '../contract/interaction.ts'
import { metadataWithStars } from '../contract/fields/rating.ts'
import { KINDS } from '../contract/kinds.ts'
import type { Judged } from './judge-each.ts'
import { judgeLogged, type NewEventId } from './logged-event.ts'
import type { LogRow } from './rows.ts'

/** A checked interaction. */
export interface NewInteraction extends LogRow {
  eventType: string
  refType: 'Product' | 'Category'
  refId: string
  accountId: string | null
  accountNumber: number | null
  sessionId: string | null
  ipAddress: string | null
  userAgent: string | null
  metadata: unknown
}

/** Checks each interaction of a call. `newEventId` makes the ids of items without one. */
export function judgeInteractions(items: readonly unknown[], nowMs: number, newEventId: NewEventId): Judged<NewInteraction> {
  return judgeLogged({ ...KINDS.interaction, columnsOf }, items, nowMs, newEventId)
}

/** The columns of a checked interaction. */
export function columnsOf(event: Interaction) {
  return {
    eventType: event.event_type,
    refType: event.ref_type,
    refId: event.ref_id,
    accountId: event.account_id ?? null,
    accountNumber: event.account_number ?? null,
    sessionId: event.session_id ?? null,
    ipAddress: event.ip_address ?? null,
    userAgent: event.user_agent ?? null,
    metadata: metadataWithStars(event),
  }
}
