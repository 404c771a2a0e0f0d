import { sql } from 'kysely'
import type { PaymentCallback } from '../../contract/payment.ts'
import { instantOf } from '../../contract/fields/time.ts'
import { type Callback, type Item, callbackKey, type Shortfall } from '../../ledger/callback.ts'
import { type Call, callIdOf } from '../log/call.ts'
import { columnOf } from '../database/column.ts'
import type { Queryable } from '../database/connection.ts'
import { takeNamedLocks } from '../database/locks.ts'
import type { NewPayment } from '../../admission/payment.ts'

/** A recorded callback. */
export interface KnownPayment extends Callback {
  number: string
  accountId: string | null
  sessionId: string | null
  callId: string
  callIndex: number
  receivedAtMs: number
  shortfalls: Shortfall[]
}

/** A callback, a payment or an order. Transactions that record something about the same subject take turns. */
export type Subject = readonly ['callback' | 'payment', provider: string, id: string] | readonly ['order', id: string]

/** The callbacks concern more subjects than are locked. All of them must be locked together, in another transaction. */
export class MoreSubjectsError extends Error {
  readonly subjects: readonly Subject[]

  constructor(subjects: readonly Subject[]) {
    super('the callbacks concern more subjects than are locked')
    this.subjects = subjects
  }
}

export function subjectsOf({ provider, callbackId, paymentRef, orderId }: Callback): Subject[] {
  return [
    ['callback', provider, callbackId],
    ['payment', provider, paymentRef],
    ['order', orderId],
  ]
}

/**
 * Locks subjects, then reads every callback with their ids and every callback of their payments and orders.
 * @throws MoreSubjectsError when a callback is recorded for another payment, or a payment was sold as another order.
 */
export async function lockKnown(tx: Queryable, subjects: readonly Subject[]): Promise<KnownPayment[]> {
  const locked = new Set(subjects.map((subject) => JSON.stringify(subject)))
  await takeNamedLocks(tx, subjects)
  const known = await knownPayments(tx, subjects)
  const isLocked = (subject: Subject) => locked.has(JSON.stringify(subject))
  const concerned = known.flatMap((callback) => {
    const [id, payment, order] = subjectsOf(callback) as [Subject, Subject, Subject]
    return [...(isLocked(id) ? [payment] : []), ...(isLocked(payment) && callback.status === 'success' ? [order] : [])]
  })
  const more = concerned.filter((subject) => !isLocked(subject))
  if (more.length > 0) throw new MoreSubjectsError(more)
  return known
}

async function knownPayments(tx: Queryable, subjects: readonly Subject[]): Promise<KnownPayment[]> {
  const column = (kind: Subject[0], place: 1 | 2) => subjects.filter(([name]) => name === kind).map((subject) => subject[place]!)
  const { rows } = await sql<StoredPayment>`
    with payment as (
      select * from unnest(${column('payment', 1)}::text[], ${column('payment', 2)}::text[]) as p (provider, payment_ref)
      union
      select provider, payment_ref from payment_callback
      where status = 'success' and order_id = any(${column('order', 1)}::text[])
    ), wanted as (
      select c.callback_no from payment p join payment_callback c using (provider, payment_ref)
      union
      select c.callback_no
      from unnest(${column('callback', 1)}::text[], ${column('callback', 2)}::text[]) as g (provider, callback_id)
        join payment_callback c using (provider, callback_id)
    )
    select ${PAYMENT_COLUMNS} from payment_callback c where callback_no in (select callback_no from wanted)`.execute(tx)
  return rows.map(paymentOf)
}

export interface StoredPayment extends Omit<KnownPayment, 'occurredAtMs' | 'receivedAtMs' | 'items'> {
  occurredAt: Date
  receivedAt: Date
  items: StoredItem[]
}

interface StoredItem {
  product_id: string | null
  seller_id: string | null
  quantity: number
  unit_price: number | null
  /** Only for a seller that the callback did not name. */
  is_seller_of_catalog?: true
  name?: string
}

/** The columns of a StoredPayment. */
export const PAYMENT_COLUMNS = sql.raw(`callback_no as number, provider, callback_id as "callbackId", payment_ref as "paymentRef",
  capture_ref as "captureRef", reverses, coalesce(rule, 1) as rule, order_id as "orderId", status, currency, occurred_at as "occurredAt", received_at as "receivedAt", items, account_id as "accountId",
  session_id as "sessionId", call_id as "callId", call_index as "callIndex", refused as shortfalls`)

export function paymentOf({ occurredAt, receivedAt, items, callId, ...row }: StoredPayment): KnownPayment {
  return {
    ...row,
    callId: callId.replaceAll('-', ''),
    occurredAtMs: occurredAt.getTime(),
    receivedAtMs: receivedAt.getTime(),
    items: items.map((item) => ({
      productId: item.product_id,
      sellerId: item.seller_id,
      quantity: item.quantity,
      unitPrice: item.unit_price,
      ...(item.is_seller_of_catalog && { isSellerOfCatalog: true }),
      ...(item.name !== undefined && { name: item.name }),
    })),
  }
}

/** A recorded callback as providers send it. */
export function callbackOf(callback: KnownPayment): PaymentCallback {
  const { provider, callbackId, paymentRef, captureRef, reverses, orderId, status, currency } = callback
  const { accountId, sessionId, occurredAtMs, items } = callback
  return {
    provider,
    callback_id: callbackId,
    payment_ref: paymentRef,
    ...(captureRef !== null && { capture_ref: captureRef }),
    ...(reverses !== null && { reverses }),
    order_id: orderId,
    status,
    currency,
    ...(accountId !== null && { account_id: accountId }),
    ...(sessionId !== null && { session_id: sessionId }),
    occurred_at: instantOf(occurredAtMs),
    items: items.map(({ productId, sellerId, quantity, unitPrice, name }) => ({
      ...(productId !== null && { product_id: productId }),
      ...(name !== undefined && { name }),
      ...(sellerId !== null && { seller_id: sellerId }),
      quantity,
      ...(unitPrice !== null && { unit_price: unitPrice }),
    })),
  }
}

/** @returns the number of each inserted callback, by its key. */
export async function insertCallbacks(
  tx: Queryable,
  call: Call,
  payments: readonly NewPayment[],
  shortfalls: ReadonlyMap<string, readonly Shortfall[]>,
): Promise<Map<string, string>> {
  if (payments.length === 0) return new Map()
  const column = (valueOf: (payment: NewPayment) => string | number | null) => columnOf(payments, valueOf)
  const { rows } = await sql<Pick<KnownPayment, 'number' | 'provider' | 'callbackId'>>`
    insert into payment_callback (call_id, call_index, provider, callback_id, payment_ref, capture_ref, reverses, rule,
      order_id, status, currency, account_id, session_id, occurred_at, items, refused)
    select ${callIdOf(call)}::uuid, * from unnest(
      ${column(({ index }) => index)}::int[], ${column(({ provider }) => provider)}::text[],
      ${column(({ callbackId }) => callbackId)}::text[], ${column(({ paymentRef }) => paymentRef)}::text[],
      ${column(({ captureRef }) => captureRef)}::text[], ${column(({ reverses }) => reverses)}::text[],
      ${column(({ rule }) => rule)}::smallint[], ${column(({ orderId }) => orderId)}::text[], ${column(({ status }) => status)}::text[],
      ${column(({ currency }) => currency)}::text[], ${column(({ accountId }) => accountId)}::text[],
      ${column(({ sessionId }) => sessionId)}::text[], ${column(({ occurredAtMs }) => instantOf(occurredAtMs))}::timestamptz[],
      ${column(({ items }) => JSON.stringify(items.map(storedItemOf)))}::jsonb[],
      ${column((payment) => JSON.stringify(shortfalls.get(callbackKey(payment)) ?? []))}::jsonb[])
    returning callback_no as number, provider, callback_id as "callbackId"`.execute(tx)
  return new Map(rows.map((row) => [callbackKey(row), row.number]))
}

function storedItemOf({ productId, sellerId, isSellerOfCatalog, quantity, unitPrice, name }: Item): StoredItem {
  return {
    ...{ product_id: productId, seller_id: sellerId, quantity, unit_price: unitPrice },
    ...(isSellerOfCatalog && { is_seller_of_catalog: true }),
    ...(name !== undefined && { name }),
  }
}

/**
 * Updates the shortfalls of recorded callbacks, because a new callback may leave more or less to take back for them.
 * @returns the callbacks whose shortfalls have changed.
 */
export async function updateShortfalls(
  tx: Queryable,
  known: readonly KnownPayment[],
  shortfalls: ReadonlyMap<string, readonly Shortfall[]>,
): Promise<Set<KnownPayment>> {
  const textOf = (ofCallback: readonly Shortfall[] = []) =>
    JSON.stringify(ofCallback.map(({ field, message }) => ({ field, message })))
  const changed = known.filter((callback) => textOf(shortfalls.get(callbackKey(callback))) !== textOf(callback.shortfalls))
  if (changed.length === 0) return new Set()
  await sql`
    update payment_callback c set refused = new.refused
    from unnest(${changed.map(({ number }) => number)}::bigint[],
      ${changed.map((callback) => textOf(shortfalls.get(callbackKey(callback))))}::jsonb[]) as new (number, refused)
    where c.callback_no = new.number`.execute(tx)
  return new Set(changed)
}
