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
  const account = accountId === undefined ? undefined : pseudonymOf('account', accountId, occurredAtMs)
  const session = sessionId === undefined ? undefined : pseudonymOf('session', sessionId, occurredAtMs)
  if (account === undefined && session === undefined) return rejection
  const item = rejection.item as object
  if (account === undefined && accountId !== undefined) return { ...rejection, item: { ...item, session_id: session } }
  return { ...rejection, item: erasedItem(item, { account_id: account ?? null, session_id: session ?? null }) }
}

/** The shopper of an item that need not be valid. An item without a time may be from before any erasure. */
function shopperOfItem(item: unknown): {
  accountId: string | undefined
  sessionId: string | undefined
  occurredAtMs: number
} {
  if (typeof item !== 'object' || item === null) return { accountId: undefined, sessionId: undefined, occurredAtMs: -Infinity }
  const { account_id: accountId, session_id: sessionId, occurred_at: occurredAt } = item as Record<string, unknown>
  const timeMs = typeof occurredAt === 'string' ? Date.parse(occurredAt) : Number.NaN
  return { accountId: idOf(accountId), sessionId: idOf(sessionId), occurredAtMs: Number.isNaN(timeMs) ? -Infinity : timeMs }
}

/** Ids are accepted as numbers too. */
function idOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}
