import { isAddressable, ID_CHARACTERS_MAX } from '../contract/fields/id.ts'
import { Interaction, USER_AGENT_CHARACTERS_MAX } from '../contract/interaction.ts'
import { hasReadableStars, metadataWithStars } from '../contract/fields/rating.ts'
import { KINDS } from '../contract/kinds.ts'
import type { Judged } from './judge-each.ts'
import { judgeLogged, type NewEventId } from './logged-event.ts'
import { isPlainInstant, isPlainMetadata, isPlainUuid, known, plainItem, plainText } from './plain-item.ts'
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

const { event_type, ref_type } = Interaction.shape
const isPlainId = plainText(ID_CHARACTERS_MAX)

/** The usual interactions: with few words about the device, and whose metadata has no lists. */
export const isPlainInteraction = plainItem<Interaction>(
  {
    event_id: isPlainUuid,
    occurred_at: isPlainInstant,
    account_id: isPlainId,
    account_number: Number.isSafeInteger,
    session_id: isPlainId,
    event_type: known(event_type),
    ref_type: known(ref_type),
    ref_id: isPlainId,
    metadata: isPlainMetadata,
    user_agent: plainText(USER_AGENT_CHARACTERS_MAX),
  },
  (item) =>
    item.event_type !== undefined &&
    item.ref_type !== undefined &&
    item.ref_id !== undefined &&
    (item.account_id !== undefined || item.session_id !== undefined) &&
    (item.ref_type !== 'Product' || isAddressable(item.ref_id as string)) &&
    hasReadableStars(item as Interaction),
)

/** Checks each interaction of a call. `newEventId` makes the ids of items without one. */
export function judgeInteractions(items: readonly unknown[], nowMs: number, newEventId: NewEventId): Judged<NewInteraction> {
  return judgeLogged({ ...KINDS.interaction, isPlain: isPlainInteraction, columnsOf }, items, nowMs, newEventId)
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
