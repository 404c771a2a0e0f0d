import { type Effect, callbackKey, effectKey, type Line } from './callback.ts'
import type { Pending } from './pending.ts'
import type { Settlement } from './settlement.ts'

/** What must be added to `before` to get `after`: its lines and effects are new, and its pending numbers are changes. */
export function difference(before: Settlement, after: Settlement): Pick<Settlement, 'lines' | 'effects' | 'pending'> {
  return {
    lines: newLines(before.lines, after.lines),
    effects: newEffects(before.effects, after.effects),
    pending: newPending(before.pending, after.pending),
  }
}

function lineKey({ callback, sale, item, occurredAtMs }: Line): string {
  return JSON.stringify([callbackKey(callback), callbackKey(sale), item, occurredAtMs])
}

const NUMBERS = ['quantity', 'amount', 'orders'] as const

function newLines(before: readonly Line[], after: readonly Line[]): Line[] {
  const sums = new Map<string, Line>()
  const add = (line: Line, sign: 1 | -1) => {
    const sum = sums.get(lineKey(line)) ?? { ...line, quantity: 0, amount: 0, orders: 0 }
    for (const column of NUMBERS) sum[column] += sign * line[column]
    sums.set(lineKey(line), sum)
  }
  for (const line of after) add(line, 1)
  for (const line of before) add(line, -1)
  return [...sums.values()].filter((line) => NUMBERS.some((column) => line[column] !== 0))
}

/**
 * The log cannot take an event back. Where a late callback replaces another one, the other one's event stays and stands for it, so
 * that each product and type has as many events as callbacks in any order would give.
 */
function newEffects(before: readonly Effect[], after: readonly Effect[]): Effect[] {
  const groupOf = ({ sale, type, productId }: Effect) => JSON.stringify([sale.provider, sale.paymentRef, type, productId])
  const existing = new Set(before.map(effectKey))
  const existingByGroup = Map.groupBy(before, groupOf)
  return [...Map.groupBy(after, groupOf)].flatMap(([group, effects]) =>
    effects
      .filter((effect) => !existing.has(effectKey(effect)))
      .slice(0, Math.max(0, effects.length - (existingByGroup.get(group)?.length ?? 0))),
  )
}

function newPending(before: ReadonlyMap<string, Pending>, after: ReadonlyMap<string, Pending>): Map<string, Pending> {
  const changes = new Map<string, Pending>()
  for (const [key, one] of [...before, ...after]) {
    const items = (after.get(key)?.items ?? 0) - (before.get(key)?.items ?? 0)
    const refunds = (after.get(key)?.refunds ?? 0) - (before.get(key)?.refunds ?? 0)
    if (items !== 0 || refunds !== 0) changes.set(key, { ...one, items, refunds })
  }
  return changes
}
