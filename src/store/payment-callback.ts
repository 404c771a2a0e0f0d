import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { instantOf } from '../contract/time.ts'
import { type Callback, type Item, keyOf, type Refusal } from '../ledger/settlement.ts'
import { type Call, callIdOf } from './call.ts'
import type { Database } from './database.ts'
import type { NewPayment } from './payment.ts'

/** A callback as it is stored. */
export interface KnownPayment extends Callback {
  number: string
  accountId: string | null
  sessionId: string | null
  callId: string
  callIndex: number
  refused: Refusal[]
}

/**
 * Locks what the callbacks are about and reads every callback of it. Whoever records one of these callbacks, payments or orders
 * takes turns; the locks are a statement of their own, so that what was committed meanwhile is seen.
 */
export async function lockKnown(tx: Database, payments: readonly NewPayment[]): Promise<KnownPayment[]> {
  const refs = payments.map(({ provider, paymentRef }) => ['payment', provider, paymentRef])
  const ids = payments.map(({ provider, callbackId }) => ['callback', provider, callbackId])
  const orders = new Set(payments.map(({ orderId }) => orderId))
  await lockKeys(tx, [...refs, ...ids, ...[...orders].map((order) => ['order', order])])
  for (;;) {
    const known = await knownPayments(tx, payments, [...orders])
    const more = known.filter(({ status, orderId }) => status === 'success' && !orders.has(orderId)).map(({ orderId }) => orderId)
    if (more.length === 0) return known
    // A payment that is said to be of several orders. Should two of these wait for each other, PostgreSQL ends one, and it is repeated.
    for (const order of more) orders.add(order)
    await lockKeys(
      tx,
      more.map((order) => ['order', order]),
    )
  }
}

/** In one order, so that nobody waits for who waits for him. */
async function lockKeys(tx: Database, names: readonly (readonly string[])[]): Promise<void> {
  const keys = [
    ...new Set(names.map((name) => createHash('sha256').update(JSON.stringify(name)).digest().readBigInt64BE().toString())),
  ]
  await sql`select pg_advisory_xact_lock(key) from (select key from unnest(${keys}::bigint[]) as key order by key) k`.execute(tx)
}

async function knownPayments(tx: Database, payments: readonly NewPayment[], orders: readonly string[]): Promise<KnownPayment[]> {
  const { rows } = await sql<StoredPayment>`
    with given as (
      select * from unnest(${payments.map((one) => one.provider)}::text[], ${payments.map((one) => one.callbackId)}::text[],
        ${payments.map((one) => one.paymentRef)}::text[]) as given (provider, callback_id, payment_ref)
    ), payment as (
      select provider, payment_ref from given
      union
      select provider, payment_ref from payment_callback where status = 'success' and order_id = any(${orders}::text[])
    ), wanted as (
      select c.callback_no from payment p join payment_callback c using (provider, payment_ref)
      union
      select c.callback_no from given g join payment_callback c using (provider, callback_id)
    )
    select ${COLUMNS} from payment_callback c where callback_no in (select callback_no from wanted)`.execute(tx)
  return rows.map(paymentOf)
}

export interface StoredPayment extends Omit<KnownPayment, 'occurredAtMs' | 'items'> {
  occurredAt: Date
  items: StoredItem[]
}

interface StoredItem {
  product_id: string
  seller_id: string | null
  quantity: number
  unit_price: number | null
}

/** The columns of a StoredPayment. */
export const COLUMNS = sql.raw(`callback_no as number, provider, callback_id as "callbackId", payment_ref as "paymentRef",
  order_id as "orderId", status, currency, occurred_at as "occurredAt", items, account_id as "accountId",
  session_id as "sessionId", call_id as "callId", call_index as "callIndex", refused`)

export function paymentOf({ occurredAt, items, callId, ...row }: StoredPayment): KnownPayment {
  return {
    ...row,
    callId: callId.replaceAll('-', ''),
    occurredAtMs: occurredAt.getTime(),
    items: items.map((item) => ({
      productId: item.product_id,
      sellerId: item.seller_id,
      quantity: item.quantity,
      unitPrice: item.unit_price,
    })),
  }
}

/** @returns the number of each, by its key. */
export async function insertCallbacks(
  tx: Database,
  call: Call,
  fresh: readonly NewPayment[],
  refused: ReadonlyMap<string, readonly Refusal[]>,
): Promise<Map<string, string>> {
  if (fresh.length === 0) return new Map()
  const column = (valueOf: (payment: NewPayment) => string | number | null) => fresh.map(valueOf)
  const { rows } = await sql<Pick<KnownPayment, 'number' | 'provider' | 'callbackId'>>`
    insert into payment_callback (call_id, call_index, provider, callback_id, payment_ref, order_id, status, currency, account_id,
      session_id, occurred_at, items, refused)
    select ${callIdOf(call)}::uuid, * from unnest(
      ${column(({ index }) => index)}::int[], ${column(({ provider }) => provider)}::text[],
      ${column(({ callbackId }) => callbackId)}::text[], ${column(({ paymentRef }) => paymentRef)}::text[],
      ${column(({ orderId }) => orderId)}::text[], ${column(({ status }) => status)}::text[],
      ${column(({ currency }) => currency)}::text[], ${column(({ accountId }) => accountId)}::text[],
      ${column(({ sessionId }) => sessionId)}::text[], ${column(({ occurredAtMs }) => instantOf(occurredAtMs))}::timestamptz[],
      ${column(({ items }) => JSON.stringify(items.map(storedItemOf)))}::jsonb[],
      ${column((payment) => JSON.stringify(refused.get(keyOf(payment)) ?? []))}::jsonb[])
    returning callback_no as number, provider, callback_id as "callbackId"`.execute(tx)
  return new Map(rows.map((row) => [keyOf(row), row.number]))
}

function storedItemOf({ productId, sellerId, quantity, unitPrice }: Item): StoredItem {
  return { product_id: productId, seller_id: sellerId, quantity, unit_price: unitPrice }
}

/** Another callback may leave more or less to one that was there before. */
export async function updateRefused(
  tx: Database,
  known: readonly KnownPayment[],
  refused: ReadonlyMap<string, readonly Refusal[]>,
): Promise<void> {
  const changed = known.flatMap((callback) => {
    const now = JSON.stringify(refused.get(keyOf(callback)) ?? [])
    return now === JSON.stringify(callback.refused.map(({ field, message }) => ({ field, message })))
      ? []
      : { number: callback.number, now }
  })
  if (changed.length === 0) return
  await sql`
    update payment_callback c set refused = new.refused
    from unnest(${changed.map(({ number }) => number)}::bigint[], ${changed.map(({ now }) => now)}::jsonb[]) as new (number, refused)
    where c.callback_no = new.number`.execute(tx)
}
