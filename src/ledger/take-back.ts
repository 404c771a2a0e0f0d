import { thousandthsOf } from '../contract/fields/quantity.ts'
import { type Callback, callbackKey, type Effect, type Line, saleLine, type Shortfall } from './callback.ts'
import { inTurn } from './order.ts'
import { move, type Part, type Remainder, remainderOf } from './remainder.ts'
import { type OnTaken, type Take, takeAdjustment, takeItem } from './take-item.ts'

/** An item that was taken back, wholly or in part. */
export type TakenItem = Pick<Effect, 'callback' | 'sale' | 'productId' | 'place'>

interface TakenBack {
  lines: Line[]
  taken: TakenItem[]
  /** By the key of the callback. */
  shortfalls: Map<string, Shortfall[]>
}

/** A part that a callback took, and when. */
interface Booking {
  remainder: Remainder
  part: Part
  occurredAtMs: number
}

/**
 * Applies refunds, cancellations, late failures and their reversals to the sales of a payment in turn, never more than is left of them.
 * The sales are in order.
 */
export function takeBack(sales: readonly Callback[], retractions: readonly Callback[]): TakenBack {
  const back: TakenBack = { lines: [], taken: [], shortfalls: new Map() }
  const remainders = sales.flatMap((sale) => sale.items.map((item, place) => remainderOf(sale, item, place)))
  const remaindersOf = Map.groupBy(remainders, ({ item }) => item.productId)
  const bookings = new Map<string, Booking[]>()
  const book = (callback: Callback, { remainder, part, occurredAtMs }: Booking, sign: 1 | -1) => {
    const { quantity, amount } = move(remainder, part, sign)
    back.lines.push({ ...saleLine(remainder.sale, remainder.item, remainder.place), callback, occurredAtMs, quantity, amount })
  }
  for (const callback of inTurn(retractions.filter((retraction) => !isWaiting(retraction, sales)))) {
    const own: Booking[] = []
    const take: Take = (remainder, part) => {
      const booking = { remainder, part, occurredAtMs: Math.max(callback.occurredAtMs, remainder.sale.occurredAtMs) }
      own.push(booking)
      book(callback, booking, -1)
    }
    const onTaken: OnTaken = ({ sale, item: { productId } }, place) => {
      if (productId !== null) back.taken.push({ callback, sale, productId, place })
    }
    const giveBack = (id: string): Shortfall[] => {
      const taken = bookings.get(id) ?? []
      for (const booking of taken) {
        book(callback, { ...booking, occurredAtMs: Math.max(callback.occurredAtMs, booking.occurredAtMs) }, 1)
      }
      bookings.delete(id)
      return taken.length > 0 ? [] : [{ field: 'reverses', message: `nothing that ${id} took back is left to give back` }]
    }
    const { reverses } = callback
    const shortfalls =
      reverses === null ? retract(callback, sales, { remainders, remaindersOf }, take, onTaken) : giveBack(reverses)
    bookings.set(callback.callbackId, own)
    if (shortfalls.length > 0) back.shortfalls.set(callbackKey(callback), shortfalls)
  }
  return back
}

interface Remainders {
  remainders: readonly Remainder[]
  /** By product; null for adjustments. */
  remaindersOf: ReadonlyMap<string | null, readonly Remainder[]>
}

/** Takes back what a refund, a cancellation or a late failure asks for. */
function retract(
  callback: Callback,
  sales: readonly Callback[],
  { remainders, remaindersOf }: Remainders,
  take: Take,
  onTaken: OnTaken,
): Shortfall[] {
  const ofCapture = sales.filter((sale) => isOfCapture(callback, sale))
  const named = ofCapture.filter(({ currency }) => currency === callback.currency)
  if (named.length === 0) return [{ field: 'currency', message: `the payment is in ${ofCapture[0]!.currency}` }]
  if (callback.status === 'failed' || callback.items.length === 0) {
    const sold = new Set(named.filter((sale) => isBefore(sale, callback, named[0]!)))
    const open = takeAll(
      remainders.filter(({ sale }) => sold.has(sale)),
      take,
      onTaken,
    )
    const isShort = open === 0 && callback.status !== 'failed'
    return isShort ? [{ field: 'items', message: 'nothing of the payment is left to take back' }] : []
  }
  const sold = new Set(named)
  return callback.items.flatMap((item, place) => {
    const request = { ...item, place, thousandths: thousandthsOf(item.quantity) }
    const ofProduct = (remaindersOf.get(item.productId) ?? []).filter(({ sale }) => sold.has(sale))
    return item.productId === null ? takeAdjustment(request, ofProduct, take) : takeItem(request, ofProduct, take, onTaken)
  })
}

/** A callback that names no capture is about all of the payment. */
export function isOfCapture({ captureRef }: Callback, sale: Callback): boolean {
  return captureRef === null || captureRef === sale.captureRef
}

/** Whether a callback is about a capture that is not known. Its reversal waits with it. */
export function isWaiting(callback: Callback, sales: readonly Callback[]): boolean {
  return callback.reverses === null && !sales.some((sale) => isOfCapture(callback, sale))
}

/** A failure is of what was captured before it. A refund or a cancellation of everything waits for the first capture. */
function isBefore(sale: Callback, callback: Callback, first: Callback): boolean {
  if (callback.status === 'failed') return sale.occurredAtMs < callback.occurredAtMs
  return sale.occurredAtMs <= Math.max(callback.occurredAtMs, first.occurredAtMs)
}

/** @returns of how many items something was left. */
function takeAll(remainders: readonly Remainder[], take: Take, onTaken: OnTaken): number {
  const open = remainders.filter(({ thousandths, amount }) => thousandths > 0 || amount !== 0)
  for (const remainder of open) {
    const { thousandths, amount, price } = remainder
    take(remainder, { thousandths, amount, price })
    onTaken(remainder, remainder.place)
  }
  return open.length
}
