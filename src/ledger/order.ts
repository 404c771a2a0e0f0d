import type { Callback } from './callback.ts'

/**
 * By time. Providers report whole seconds, so at the same instant callbacks that take everything back come last, and reversals
 * immediately before them.
 */
export function inOrder(one: Callback, other: Callback): number {
  return one.occurredAtMs - other.occurredAtMs || rankOf(one) - rankOf(other) || (one.callbackId < other.callbackId ? -1 : 1)
}

function rankOf({ items, reverses }: Callback): number {
  if (reverses !== null) return 1
  return items.length === 0 ? 2 : 0
}

/** The order of retractions. A failure takes everything back, also when it lists the items of its payment. */
function asRetractions(one: Callback, other: Callback): number {
  return inOrder(wholeIfFailed(one), wholeIfFailed(other))
}

function wholeIfFailed(callback: Callback): Callback {
  return callback.status === 'failed' && callback.reverses === null ? { ...callback, items: [] } : callback
}

/**
 * Retractions in the order in which they take back. A reversal comes at its own time, and never before the callback that it reverses.
 * A reversal of a callback that is not among them is left out.
 */
export function inTurn(retractions: readonly Callback[]): Callback[] {
  const byId = new Map(retractions.filter(({ reverses }) => reverses === null).map((callback) => [callback.callbackId, callback]))
  const reversals = retractions.filter(({ reverses }) => reverses !== null && byId.has(reverses))
  const isEarly = ({ reverses, occurredAtMs }: Callback) => occurredAtMs <= byId.get(reverses!)!.occurredAtMs
  const early = Map.groupBy(reversals.filter(isEarly), ({ reverses }) => reverses!)
  const late = reversals.filter((reversal) => !isEarly(reversal))
  return [...byId.values(), ...late]
    .toSorted(asRetractions)
    .flatMap((callback) => [callback, ...(early.get(callback.callbackId) ?? []).toSorted(inOrder)])
}
