import { erasedItem, type PseudonymOf, type ShopperRow, withoutErased } from '../../admission/erased-item.ts'
import type { NewRejection } from '../../admission/rows.ts'
import { type Checked, pseudonymsFor, shopperIdsIn } from './tombstone.ts'

/** The shoppers that a call's items name, also items that are rejected. */
export function* shopperIdsOfCall(rows: readonly ShopperRow[], rejections: readonly NewRejection[]): Generator<string> {
  yield* shopperIdsIn(rows)
  for (const { item } of rejections) yield* shopperIdsIn([shopperOfItem(item)])
}

/** The rows and rejections of a call as they are kept: those of erased persons under fresh pseudonyms. */
export function erasedItems<Row extends ShopperRow>(
  checked: Checked,
  rows: readonly Row[],
  rejections: readonly NewRejection[],
): { rows: readonly Row[]; rejections: readonly NewRejection[] } {
  if (checked.erasedUntilMs.size === 0) return { rows, rejections }
  const pseudonymOf = pseudonymsFor(checked)
  return {
    rows: rows.map((row) => withoutErased(row, pseudonymOf)),
    rejections: rejections.map((rejection) => rejectionOf(rejection, pseudonymOf)),
  }
}

function rejectionOf(rejection: NewRejection, pseudonymOf: PseudonymOf): NewRejection {
  const { accountId, sessionId, occurredAtMs } = shopperOfItem(rejection.item)
  const account = typeof accountId === 'string' ? pseudonymOf('account', accountId, occurredAtMs) : undefined
  const session = typeof sessionId === 'string' ? pseudonymOf('session', sessionId, occurredAtMs) : undefined
  if (account === undefined && session === undefined) return rejection
  const item = rejection.item as object
  if (account === undefined && accountId !== undefined) return { ...rejection, item: { ...item, session_id: session } }
  return { ...rejection, item: erasedItem(item, { account_id: account ?? null, session_id: session ?? null }) }
}

/** The shopper of an item that need not be valid. An item without a time may be from before any erasure. */
function shopperOfItem(item: unknown): { accountId?: unknown; sessionId?: unknown; occurredAtMs: number } {
  if (typeof item !== 'object' || item === null) return { occurredAtMs: -Infinity }
  const { account_id: accountId, session_id: sessionId, occurred_at: occurredAt } = item as Record<string, unknown>
  const timeMs = typeof occurredAt === 'string' ? Date.parse(occurredAt) : Number.NaN
  return { accountId, sessionId, occurredAtMs: Number.isNaN(timeMs) ? -Infinity : timeMs }
}
