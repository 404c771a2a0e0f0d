import { sql } from 'kysely'
import type { Drift } from '../../contract/verify.ts'
import { instantOf } from '../../contract/fields/time.ts'
import { callbackKey, type Line, type Shortfall } from '../../ledger/callback.ts'
import { type Pending, pendingKey } from '../../ledger/pending.ts'
import { settle, type Settlement } from '../../ledger/settlement.ts'
import type { Queryable } from '../database/connection.ts'
import { type Aggregate, comparedAggregate, DRIFT_MAX, exact, type Finding, findingOf, found, joined } from './drift.ts'
import { PAYMENT_COLUMNS, type KnownPayment, paymentOf, type StoredPayment } from '../payments/payment-callback.ts'
import { sumsPerDay } from '../payments/sale-line.ts'

const PAYMENTS_PER_PAGE = 2_000

/** Sale lines, pending numbers and shortfalls: settles every payment again, 2,000 payments per page. */
export const SALE_LINE: Aggregate = {
  table: 'sale_line',
  key: ['sale_line_id'],
  prove: async (tx) => joined([await paymentDrift(tx), await orderDrift(tx)]),
}
export const SELLER_PENDING: Aggregate = { table: 'seller_pending', key: ['seller_id'] }
export const SELLER_PENDING_DAY: Aggregate = { table: 'seller_pending_day', key: ['seller_id', 'day'] }

async function paymentDrift(tx: Queryable): Promise<Finding> {
  const findings: Finding[] = []
  const pending = new Map<string, Pending>()
  let after = { provider: '', paymentRef: '' }
  for (;;) {
    const page = await paymentsAfter(tx, after)
    if (page.length === 0) break
    if (joined(findings).driftCount >= DRIFT_MAX) return joined(findings)
    const settlement = settle(page)
    findings.push(await lineDrift(tx, page, settlement.lines), shortfallDrift(page, settlement.shortfalls))
    for (const [key, one] of settlement.pending) {
      const { items, refunds } = pending.get(key) ?? { items: 0, refunds: 0 }
      pending.set(key, { ...one, items: items + one.items, refunds: refunds + one.refunds })
    }
    after = page.at(-1)!
  }
  return joined([...findings, await strayLines(tx), pendingDrift(await storedPending(tx), pending)])
}

/** All callbacks of the next payments. */
async function paymentsAfter(tx: Queryable, after: { provider: string; paymentRef: string }): Promise<KnownPayment[]> {
  const { rows } = await sql<StoredPayment>`
    with payment as (
      select provider, payment_ref from payment_callback
      where (provider, payment_ref) > (${after.provider}, ${after.paymentRef})
      group by 1, 2 order by 1, 2 limit ${PAYMENTS_PER_PAGE}
    )
    select ${PAYMENT_COLUMNS} from payment join payment_callback using (provider, payment_ref)
    order by provider, payment_ref`.execute(tx)
  return rows.map(paymentOf)
}

interface StoredLine {
  callbackNo: string
  saleNo: string
  item: number
  occurredAt: Date
  currency: string
  sellerId: string | null
  productId: string | null
  quantity: string
  amount: string
}

async function lineDrift(tx: Queryable, page: readonly KnownPayment[], lines: readonly Line[]): Promise<Finding> {
  const numbers = new Map(page.map((callback) => [callbackKey(callback), callback.number]))
  const { rows } = await sql<StoredLine>`
    select callback_no as "callbackNo", sale_no as "saleNo", item, occurred_at as "occurredAt", currency, seller_id as "sellerId",
      product_id as "productId", sum(quantity)::text as quantity, sum(amount)::text as amount
    from sale_line where callback_no = any(${[...numbers.values()]}::bigint[])
    group by 1, 2, 3, 4, 5, 6, 7`.execute(tx)
  const nameOf = (callbackNo: string, saleNo: string, line: Omit<StoredLine, 'callbackNo' | 'saleNo' | 'quantity' | 'amount'>) =>
    JSON.stringify([
      callbackNo,
      saleNo,
      line.item,
      instantOf(line.occurredAt.getTime()),
      line.currency,
      line.sellerId,
      line.productId,
    ])
  const stored = new Map<string, Sums>(
    rows.map((row) => [nameOf(row.callbackNo, row.saleNo, row), sumsOf(row.quantity, row.amount)]),
  )
  const expected = new Map<string, Sums>()
  for (const line of lines) {
    const [callbackNo, saleNo] = [numbers.get(callbackKey(line.callback))!, numbers.get(callbackKey(line.sale))!]
    const name = nameOf(callbackNo, saleNo, { ...line, occurredAt: new Date(line.occurredAtMs) })
    const sum = expected.get(name) ?? sumsOf(0, 0)
    expected.set(name, { quantity: sum.quantity + BigInt(line.quantity), amount: sum.amount + BigInt(line.amount) })
  }
  return driftOf('sale_line', stored, expected, (name) => {
    const [callback_no, , item, occurred_at, currency, seller_id, product_id] = (JSON.parse(name) as unknown[]).map(String)
    return {
      callback_no: callback_no!,
      item: item!,
      occurred_at: occurred_at!,
      currency: currency!,
      seller_id: seller_id!,
      product_id: product_id!,
    }
  })
}

type Sums = Record<'quantity' | 'amount', bigint>

function sumsOf(quantity: string | number, amount: string | number): Sums {
  return { quantity: BigInt(quantity), amount: BigInt(amount) }
}

/** Compares sums. A missing sum is 0. */
function driftOf<Column extends string>(
  aggregate: string,
  stored: ReadonlyMap<string, Record<Column, bigint>>,
  expected: ReadonlyMap<string, Record<Column, bigint>>,
  keyOfName: (name: string) => Record<string, string>,
): Finding {
  const cells = [...new Set([...stored.keys(), ...expected.keys()])].flatMap((name) =>
    (Object.keys(stored.get(name) ?? expected.get(name)!) as Column[]).map((column) => ({ name, column })),
  )
  const drift = cells.flatMap(({ name, column }) => {
    const [actual, wanted] = [stored.get(name)?.[column], expected.get(name)?.[column]]
    if ((actual ?? 0n) === (wanted ?? 0n)) return []
    const texts = { stored: actual?.toString() ?? null, expected: wanted?.toString() ?? null }
    return [{ aggregate, key: keyOfName(name), column, ...texts }]
  })
  return found(cells.length, drift)
}

function shortfallDrift(page: readonly KnownPayment[], shortfalls: Settlement['shortfalls']): Finding {
  const drift = page.flatMap((callback) => {
    const sentences = (ofCallback: readonly Shortfall[]) =>
      ofCallback.map(({ field, message }) => `${field} ${message}`).join('; ')
    const [stored, expected] = [sentences(callback.shortfalls), sentences(shortfalls.get(callbackKey(callback)) ?? [])]
    if (stored === expected) return []
    const key = { provider: callback.provider, callback_id: callback.callbackId }
    return [{ aggregate: 'payment_callback', key, column: 'refused', stored, expected }]
  })
  return found(page.length, drift)
}

/** Lines whose callbacks do not exist. */
async function strayLines(tx: Queryable): Promise<Finding> {
  const { rows } = await sql<Drift>`
    select 'sale_line' as aggregate, '*' as "column", 'a row' as stored, null as expected,
      json_build_object('sale_line_id', l.sale_line_id::text, 'callback_no', l.callback_no::text, 'sale_no', l.sale_no::text) as key
    from sale_line l
    where not exists (select from payment_callback c where c.callback_no = l.callback_no)
      or not exists (select from payment_callback c where c.callback_no = l.sale_no)
    limit ${DRIFT_MAX}`.execute(tx)
  return found(0, rows)
}

interface StoredPending {
  sellerId: string
  day: string | null
  items: string
  refunds: string
}

async function storedPending(tx: Queryable): Promise<StoredPending[]> {
  const { rows } = await sql<StoredPending>`
    select seller_id as "sellerId", null as day, items, refunds from seller_pending
    union all
    select seller_id, day::text, items, refunds from seller_pending_day`.execute(tx)
  return rows
}

function pendingDrift(rows: readonly StoredPending[], expected: ReadonlyMap<string, Pending>): Finding {
  const bigints = ({ items, refunds }: StoredPending | Pending) => ({ items: BigInt(items), refunds: BigInt(refunds) })
  const drift = (isOfTable: (one: StoredPending | Pending) => boolean, table: string) =>
    driftOf(
      table,
      new Map(rows.filter(isOfTable).map((row) => [pendingKey(row), bigints(row)])),
      new Map([...expected].filter(([, one]) => isOfTable(one)).map(([key, one]) => [key, bigints(one)])),
      (key) => {
        const [seller_id, day] = JSON.parse(key) as [string, string | null]
        return { seller_id, ...(day !== null && { day }) }
      },
    )
  return joined([
    drift(({ day }) => day === null, SELLER_PENDING.table),
    drift(({ day }) => day !== null, SELLER_PENDING_DAY.table),
  ])
}

/** The orders of lines: a seller's part of an order begins and ends with its items. */
async function orderDrift(tx: Queryable): Promise<Finding> {
  const parts = sql`(
      select *, (items > 0)::int - (items - quantity > 0)::int as expected
      from (
        select *, sum(quantity) over (partition by order_id, seller_id, currency order by occurred_at) as items
        from (
          select c.order_id, l.seller_id, l.currency, l.occurred_at, sum(l.quantity) as quantity, sum(l.orders) as stored
          from sale_line l join payment_callback c on c.callback_no = l.sale_no
          group by 1, 2, 3, 4
        ) moment
      ) running
    ) part`
  const counted = sql`select count(*) as cells, count(*) filter (where stored <> expected) as "driftCount" from ${parts}`
  const list = sql`
    select 'sale_line' as aggregate, 'orders' as "column", stored::text, expected::text,
      json_build_object('order_id', order_id, 'seller_id', seller_id, 'currency', currency, 'occurred_at', occurred_at::text) as key
    from ${parts} where stored <> expected limit ${DRIFT_MAX}`
  return findingOf(tx, counted, list)
}

export const SELLER_DAY = comparedAggregate({
  table: 'seller_day',
  key: ['seller_id', 'currency', 'day'],
  stored: sql`select * from seller_day`,
  expected: sumsPerDay(sql`sale_line`),
  cells: [exact('revenue'), exact('orders'), exact('items')],
})

/** Ratings from before the horizon are gone from the log. */
export const PRODUCT_RATING = comparedAggregate({
  table: 'product_rating',
  key: ['product_id', 'occurred_at', 'event_id'],
  stored: sql`select r.* from product_rating r cross join log_horizon l where r.occurred_at >= l.horizon`,
  expected: sql`
    select i.ref_id as product_id, i.occurred_at, i.event_id, stars_of(i.event_type, i.metadata) as stars
    from interaction i cross join log_horizon l
    where i.event_type in ('rating_low', 'rating_medium', 'rating_high') and not i.is_category and i.occurred_at >= l.horizon`,
  cells: [exact('stars')],
})
