import { type Callback, isByRule2, itemsOf } from './callback.ts'

/** What is open at a seller: promised items, and refunds that wait for their sale. */
export interface Pending {
  sellerId: string
  /** The UTC day of the callback, as YYYY-MM-DD; null for payments that rule 1 settled. */
  day: string | null
  items: number
  refunds: number
}

export function pendingKey({ sellerId, day }: Pick<Pending, 'sellerId' | 'day'>): string {
  return JSON.stringify([sellerId, day])
}

/**
 * A payment without a success has promised items that are not decided, and refunds that arrived before their sale. Its callbacks are in
 * order.
 */
export function addPending(callbacks: readonly Callback[], pending: Map<string, Pending>): void {
  const hasDays = isByRule2(callbacks)
  const reversed = new Set(callbacks.map(({ reverses }) => reverses))
  // A pending payment took nothing back, so nothing reverses it.
  const isReversed = ({ callbackId, status }: Callback) => status !== 'pending' && reversed.has(callbackId)
  const open = callbacks.filter((callback) => callback.reverses === null && !isReversed(callback))
  const promised = open.findLast(({ status }) => status === 'pending')?.items ?? []
  const add = ({ occurredAtMs }: Callback, sellerId: string | null, field: 'items' | 'refunds', count: number) => {
    if (sellerId === null || count === 0) return
    const day = hasDays ? new Date(occurredAtMs).toISOString().slice(0, 10) : null
    const ofSeller = pending.get(pendingKey({ sellerId, day })) ?? { sellerId, day, items: 0, refunds: 0 }
    ofSeller[field] += count
    pending.set(pendingKey(ofSeller), ofSeller)
  }
  // A refund does not decide a payment.
  const latest = open.findLast(({ status }) => status !== 'refunded')
  if (latest?.status === 'pending') {
    for (const item of promised) add(latest, item.sellerId, 'items', itemsOf(item))
  }
  for (const refund of open.filter(({ status }) => status === 'refunded')) {
    const sellers =
      refund.items.length === 0
        ? promised.map(({ sellerId }) => sellerId)
        : refund.items.map(
            (item) => item.sellerId ?? promised.find(({ productId }) => productId === item.productId)?.sellerId ?? null,
          )
    for (const seller of new Set(sellers)) add(refund, seller, 'refunds', 1)
  }
}
