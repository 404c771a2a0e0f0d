import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { uuidV7 } from '../../contract/event-id.ts'
import { CALLBACKS_MAX } from '../../contract/payment.ts'
import { type Callback, difference, type Effect, idOfEffect, keyOf, type Shortfall, settle } from '../../ledger/settlement.ts'
import { insertPaymentEvents } from '../reports/analytics-event.ts'
import { type Call, callIdOf } from '../log/call.ts'
import type { Queryable, Database } from '../database/connection.ts'
import { batchOf, insertBatch, type BatchBounds } from '../log/batch.ts'
import { INTERACTIONS } from '../log/interaction.ts'
import type { LogTable } from '../log/log-table.ts'
import { makePartitions, monthOf } from '../log/month.ts'
import {
  callbackOf,
  insertCallbacks,
  type KnownPayment,
  lockKnown,
  MoreSubjectsError,
  type Subject,
  subjectsOf,
  updateRefused,
} from './payment-callback.ts'
import { lockUnlessReplayed, markReplayed, type ReplayOf } from '../log/rejected-replay.ts'
import { addSales } from './sale-line.ts'
import type { NewInteraction, NewRejection, NewPayment, NewAnalyticsEvent } from '../../admission/rows.ts'
import { isMissingPartition } from '../database/sql-state.ts'
import { onlyRow } from '../database/rows.ts'

/** What became of a callback. */
export interface PaymentResult {
  index: number
  /** Whether this call recorded it. One that it neither recorded nor rejected was recorded before. */
  isRecorded: boolean
  rejection: NewRejection | undefined
  /** What of it could not be taken back, as far as is known. */
  refused: readonly Shortfall[]
}

export interface RecordedPayments {
  results: PaymentResult[]
  /** The interactions that followed, to be sent on; undefined when there are none. */
  batch: BatchBounds | undefined
  /** Whether this attempt inserted anything: true for one of all attempts. */
  isNew: boolean
}

const OF_PAYMENTS: LogTable<NewInteraction> = { ...INTERACTIONS, rejectedKind: 'payment' }

/** Missing months and further subjects each cost one more attempt; more than a few mean a fault. */
const ATTEMPTS_MAX = 8

/**
 * Records callbacks once per provider and callback id, for ever, and in the same transaction all that follows: the analytics
 * events, the interactions as a batch of the call, the sale lines and their sums. Repeated and overlapping attempts change nothing
 * and say the same. `replayOf` is the refused callback that it replays. Costs a few statements per call, whatever the number of
 * its callbacks, and reads every callback of the payments and orders that they are about.
 */
export async function recordPayments(
  db: Database,
  call: Call,
  payments: readonly NewPayment[],
  rejections: readonly NewRejection[],
  replayOf?: ReplayOf,
): Promise<RecordedPayments> {
  const subjects = payments.flatMap(subjectsOf)
  for (let attempt = 1; ; attempt++) {
    const months: string[] = []
    try {
      return await db.transaction().execute((tx) => recordOnce(tx, { call, payments, rejections, replayOf, subjects, months }))
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) throw error
      if (error instanceof MoreSubjectsError) subjects.push(...error.subjects)
      else if (isMissingPartition(error)) await makePartitions(db, months)
      else throw error
    }
  }
}

interface Attempt {
  call: Call
  payments: readonly NewPayment[]
  rejections: readonly NewRejection[]
  replayOf: ReplayOf | undefined
  /** What is locked. */
  subjects: readonly Subject[]
  /** Filled with the months that it needs. */
  months: string[]
}

async function recordOnce(tx: Queryable, attempt: Attempt): Promise<RecordedPayments> {
  const { call, payments, rejections, replayOf, months } = attempt
  if (replayOf !== undefined) await lockUnlessReplayed(tx, replayOf, call)
  const known = await lockKnown(tx, attempt.subjects)
  const knownByKey = new Map(known.map((callback) => [keyOf(callback), callback]))
  const unknown = payments.filter((payment) => !knownByKey.has(keyOf(payment)))
  const { fresh, tooOld } = await selectNew(tx, unknown)
  const all = [...known, ...fresh]
  const after = settle(all)
  const { lines, effects, pending } = difference(settle(known), after)
  const shopperOf = shoppersOf(all)
  const interactions = effects.map((effect, index) => interactionOf(effect, index, shopperOf(effect)))
  months.push(...[...fresh, ...interactions].map(({ occurredAtMs }) => monthOf(occurredAtMs)))

  const late = await updateRefused(tx, known, after.refused)
  const partly = [
    ...fresh.map((payment) => ({ callback: payment, index: payment.index, item: payment.item })),
    // Those of other calls: their places are behind those of this one.
    ...late.map((callback, n) => ({ callback, index: CALLBACKS_MAX + n, item: callbackOf(callback) })),
  ].flatMap(({ callback, index, item }) => {
    const refused = after.refused.get(keyOf(callback))
    return refused === undefined ? [] : [{ index, item, ...rejectionOf(refused) }]
  })
  const rejected = [...rejections, ...tooOld, ...partly]
  const numbers = await insertCallbacks(tx, call, fresh, after.refused)
  await insertPaymentEvents(tx, fresh.map(analyticsEventOf))
  const isBatch = interactions.length > 0 || rejected.length > 0 || replayOf !== undefined
  const { isNew } = isBatch ? await insertBatch(tx, OF_PAYMENTS, call, interactions, rejected) : { isNew: false }
  if (replayOf !== undefined) await markReplayed(tx, replayOf, call)
  // Last, because all orders of a seller share a day: whoever sells something of his meanwhile waits for the end of this.
  const numberOf = (callback: Callback) => numbers.get(keyOf(callback)) ?? knownByKey.get(keyOf(callback))!.number
  await addSales(tx, { lines, pending, numberOf })

  const isOwn = ({ callId, callIndex }: KnownPayment, index: number) => callId === callIdOf(call) && callIndex === index
  const results = payments.map((payment): PaymentResult => {
    const was = knownByKey.get(keyOf(payment))
    const isRecorded = was === undefined ? fresh.some(({ index }) => index === payment.index) : isOwn(was, payment.index)
    const rejection = tooOld.find(({ index }) => index === payment.index)
    return { index: payment.index, isRecorded, rejection, refused: after.refused.get(keyOf(payment)) ?? [] }
  })
  return { results, batch: await batchOf(tx, call), isNew: isNew || fresh.length > 0 }
}

/** What of a callback could not be taken back, as one rejection: it is listed with the others. */
function rejectionOf(refused: readonly Shortfall[]): Pick<NewRejection, 'code' | 'field' | 'message'> {
  const [{ field, message }, ...more] = refused as [Shortfall, ...Shortfall[]]
  return { code: 'refused', field, message: [message, ...more.map((one) => `${one.field} ${one.message}`)].join('; ') }
}

/** The new callbacks, each once, with the sellers that the catalogue names; and those from before the horizon. */
async function selectNew(
  tx: Queryable,
  unknown: readonly NewPayment[],
): Promise<{ fresh: NewPayment[]; tooOld: NewRejection[] }> {
  // Who moves the horizon waits for those who may not have seen it.
  await sql`lock table interaction, analytics_event in row exclusive mode`.execute(tx)
  const lacking = unknown.filter(isPayment).flatMap(({ items }) => items.filter(({ sellerId }) => sellerId === null))
  const result = await sql<{ horizon: Date; sellers: Record<string, string> | null }>`
    select horizon, (
      select json_object_agg(product_id, seller_id) from catalog.product
      where product_id = any(${lacking.map(({ productId }) => productId)}::text[]) and seller_id is not null
    ) as sellers from log_horizon`.execute(tx)
  const { horizon, sellers } = onlyRow(result)
  const sellerOf = (productId: string) => (sellers !== null && Object.hasOwn(sellers, productId) ? sellers[productId]! : null)
  const withSellers = (payment: NewPayment): NewPayment => {
    if (!isPayment(payment)) return payment
    return { ...payment, items: payment.items.map((item) => ({ ...item, sellerId: item.sellerId ?? sellerOf(item.productId) })) }
  }
  const isTooOld = ({ occurredAtMs }: NewPayment) => occurredAtMs < horizon.getTime()
  const message = `is before the horizon ${horizon.toISOString().slice(0, 19)}Z`
  const recordable = unknown.filter((payment) => !isTooOld(payment)).toReversed()
  const once = [...new Map(recordable.map((payment) => [keyOf(payment), payment])).values()].toReversed()
  return {
    fresh: once.map(withSellers),
    tooOld: unknown.filter(isTooOld).map(({ index, item }) => ({ index, code: 'too_old', field: 'occurred_at', message, item })),
  }
}

/** Whether it is about what is sold: what is taken back goes by the sellers of the sale. */
function isPayment({ status }: Pick<Callback, 'status'>): boolean {
  return status !== 'refunded' && status !== 'cancelled'
}

type Shopper = Pick<NewPayment, 'accountId' | 'sessionId'>

/** The shopper of an effect: whom its callback names, or that of the sale, or the order itself. */
function shoppersOf(all: readonly (Callback & Shopper)[]): (effect: Effect) => Shopper {
  const shoppers = new Map(all.map((one) => [keyOf(one), one]))
  const named = (callback: Callback) => {
    const { accountId, sessionId } = shoppers.get(keyOf(callback))!
    return accountId === null && sessionId === null ? undefined : { accountId, sessionId }
  }
  return ({ callback, sale }) => named(callback) ?? named(sale) ?? { accountId: null, sessionId: `order:${sale.orderId}` }
}

/** Its id is made of what it says, so that it is the same in every attempt. */
function interactionOf(effect: Effect, index: number, { accountId, sessionId }: Shopper): NewInteraction {
  const { type, productId, callback, sale, occurredAtMs } = effect
  const { provider, callbackId } = callback
  const hash = createHash('sha256').update(idOfEffect(effect)).digest()
  return {
    index,
    item: undefined,
    eventId: uuidV7(occurredAtMs, hash),
    occurredAtMs,
    eventType: type,
    refType: 'Product',
    refId: productId,
    accountId,
    accountNumber: null,
    sessionId,
    ipAddress: null,
    userAgent: null,
    metadata: { provider, callback_id: callbackId, order_id: sale.orderId },
  }
}

/** What the provider said, as it said it: how far something could be taken back is the ledger's. */
function analyticsEventOf(payment: NewPayment): NewAnalyticsEvent {
  const { provider, callbackId, paymentRef, orderId, status, currency, items, processingMs, occurredAtMs } = payment
  const isPaid = isPayment(payment)
  const amount = items.reduce((sum, { quantity, unitPrice }) => sum + quantity * (unitPrice ?? 0), 0)
  return {
    source: provider,
    externalRef: callbackId,
    entityId: orderId,
    status: status === 'failed' || status === 'pending' ? status : 'success',
    processingMs,
    amount: isPaid ? amount : null,
    currency: isPaid ? currency : null,
    occurredAtMs,
    payload: { kind: isPaid ? 'payment' : status === 'refunded' ? 'refund' : 'cancellation', payment_ref: paymentRef },
  }
}
