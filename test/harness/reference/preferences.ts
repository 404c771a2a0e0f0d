import type { NewInteraction } from '../../../src/admission/interaction.ts'
import type { NewPayment } from '../../../src/admission/payment.ts'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import type { Weights } from '../../../src/ranking/weights.ts'
import { inOrder, isAbout, replay } from './ledger-replay.ts'

type Event = Pick<NewInteraction, 'eventId' | 'occurredAtMs' | 'eventType' | 'refType' | 'refId' | 'accountId' | 'sessionId'>

/** The shopper of an event or a payment; the order stands for a payment without one. */
export function shopperIdOf({
  accountId,
  sessionId,
  orderId,
}: Pick<Event, 'accountId' | 'sessionId'> & { orderId?: string }): string {
  if (accountId !== null) return `account:${accountId}`
  return `session:${sessionId ?? `order:${orderId}`}`
}

interface Question {
  shopperIds: readonly string[]
  nowMs: number
  halfLifeDays: number
  weights: Weights
  /** The category, or the brand, of each product that has one. */
  nameOf: ReadonlyMap<string, string>
}

/** Event by event: every affinity above 0. */
export function expectedAffinities(events: readonly Event[], question: Question): Record<string, number> {
  const { shopperIds, nowMs, halfLifeDays, weights, nameOf } = question
  const strengths = new Map<string, number>()
  const add = ({ refId, eventType, occurredAtMs }: Event) => {
    const name = nameOf.get(refId)
    if (name === undefined) return
    const decayed = (weights[eventType] ?? 0) * 0.5 ** (Math.max(0, nowMs - occurredAtMs) / (halfLifeDays * DAY_MS))
    strengths.set(name, (strengths.get(name) ?? 0) + decayed)
  }
  for (const shopperId of shopperIds) {
    const own = events.filter((event) => event.refType === 'Product' && shopperIdOf(event) === shopperId).sort(newestFirst)
    const [kept, older] = [own.slice(0, 100), own.slice(100)]
    const isLast = (event: Event) => event === own.find((one) => one.refId === event.refId && one.eventType === event.eventType)
    for (const event of [...kept, ...older.filter(isLast)]) add(event)
  }
  const positive = [...strengths].filter(([, strength]) => strength > 1e-12)
  const total = positive.reduce((sum, [, strength]) => sum + strength, 0)
  const highest = Math.max(...Object.values(weights))
  return Object.fromEntries(positive.map(([name, strength]) => [name, strength / (total + highest)]))
}

function newestFirst(one: Event, other: Event): number {
  return other.occurredAtMs - one.occurredAtMs || (one.eventId < other.eventId ? 1 : -1)
}

export interface ExpectedPurchase {
  bought: number
  takenBack: number
  purchaseEvents: number
  returnEvents: number
}

/** Item by item: what shoppers bought, by product. The events are all that the log has, with those that follow from payments. */
export function expectedPurchases(
  callbacks: readonly NewPayment[],
  events: readonly Event[],
  shopperIds: readonly string[],
): Record<string, ExpectedPurchase> {
  const purchases: Record<string, ExpectedPurchase & { sold: number }> = {}
  const of = (product: string) =>
    (purchases[product] ??= { bought: 0, takenBack: 0, purchaseEvents: 0, returnEvents: 0, sold: 0 })
  for (const { sale, productId, bought, takenBack } of soldItems(callbacks)) {
    if (productId === null || !shopperIds.includes(shopperIdOf(sale))) continue
    const purchase = of(productId)
    purchase.sold++
    purchase.bought += bought
    purchase.takenBack += takenBack
  }
  for (const event of events) {
    if (event.refType !== 'Product' || !shopperIds.includes(shopperIdOf(event))) continue
    if (event.eventType === 'purchase') of(event.refId).purchaseEvents++
    else if (['refund_requested', 'cancel_order', 'return_product'].includes(event.eventType)) of(event.refId).returnEvents++
  }
  return Object.fromEntries(
    Object.entries(purchases)
      .filter(([, { sold, purchaseEvents }]) => sold > 0 || purchaseEvents > 0)
      .map(([product, { sold, ...purchase }]) => [
        product,
        {
          ...purchase,
          purchaseEvents: Math.max(0, purchase.purchaseEvents - sold),
          returnEvents: sold > 0 ? 0 : purchase.returnEvents,
        },
      ]),
  )
}

interface SoldItem {
  sale: NewPayment
  productId: string | null
  bought: number
  takenBack: number
}

function soldItems(callbacks: readonly NewPayment[]): SoldItem[] {
  const isSale = ({ status, reverses }: NewPayment) => status === 'success' && reverses === null
  const payments = Map.groupBy(callbacks, ({ provider, paymentRef }) => `${provider} ${paymentRef}`)
  return [...payments.values()].flatMap((unsorted) => {
    const all = unsorted.toSorted(inOrder)
    const sales = all.filter(
      (one, place) => isSale(one) && !all.slice(0, place).some((other) => isSale(other) && other.captureRef === one.captureRef),
    )
    const isLate = (failure: NewPayment) =>
      failure.reverses === null && sales.some((sale) => isAbout(failure, sale) && failure.occurredAtMs > sale.occurredAtMs)
    const back = all.filter(
      (one) =>
        ['refunded', 'cancelled'].includes(one.status) || one.reverses !== null || (one.status === 'failed' && isLate(one)),
    )
    const moments = sales.length === 0 ? [] : replay(sales, back).moments
    return [...Map.groupBy(moments, ({ pile }) => pile)].map(([{ sale, item }, [sold, ...changes]]) => ({
      sale,
      productId: item.productId,
      bought: sold!.items,
      takenBack: 0 - changes.reduce((sum, { items }) => sum + items, 0),
    }))
  })
}
