import { sql } from 'kysely'
import { callbackKey, NEWEST_RULE } from '../../ledger/callback.ts'
import { paymentKey } from '../../ledger/settlement.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { callOf } from '../log/call.ts'
import { monthOf } from '../log/month.ts'
import { type Tombstones, WITHOUT_KEY } from '../log/tombstone.ts'
import { erasedCallbacks } from './erased-callbacks.ts'
import { type KnownPayment, lockKnown, type Subject } from './payment-callback.ts'
import { insertAll, settleDifference, tryRecording } from './payment-recording.ts'

/** A payment, by which the next page begins. */
export interface PaymentRef {
  provider: string
  paymentRef: string
}

const PAYMENTS_PER_PAGE = 100

/**
 * Settles the next payments of an older rule again, by the newest one, where the two may differ: payments with several successes, with a
 * success and a failure, and with something pending and no success. @returns the last payment of the page; undefined after the last page.
 */
export async function settlePageAgain(
  db: Database,
  after: PaymentRef,
  tombstones: Tombstones = WITHOUT_KEY,
): Promise<PaymentRef | undefined> {
  const page = await pageAfter(db, after)
  if (page.length === 0) return undefined
  const subjects = page.map(({ provider, paymentRef }): Subject => ['payment', provider, paymentRef])
  await tryRecording(db, subjects, (tx, attempt) => settleOnce(tx, page, { ...attempt, tombstones }))
  return page.at(-1)
}

async function settleOnce(
  tx: Queryable,
  page: readonly PaymentRef[],
  { subjects, months, tombstones }: { subjects: readonly Subject[]; months: string[]; tombstones: Tombstones },
): Promise<void> {
  const stored = await lockKnown(tx, subjects)
  await sql`lock table interaction in row exclusive mode`.execute(tx)
  const { callbacks: known, tombstoneNo } = await erasedCallbacks(tx, tombstones, { callbacks: stored, rejections: [] })
  const ofPage = new Set(page.map(paymentKey))
  const isSettledAgain = (callback: KnownPayment) => ofPage.has(paymentKey(callback)) && callback.rule < NEWEST_RULE
  const change = settleDifference(
    known,
    known.map((callback) => (isSettledAgain(callback) ? { ...callback, rule: NEWEST_RULE } : callback)),
  )
  months.push(...change.interactions.map(({ occurredAtMs }) => monthOf(occurredAtMs)))
  const numbers = known.filter(isSettledAgain).map(({ number }) => number)
  // No call brought this. Another one cannot have the same callbacks, because they are settled once.
  const call = callOf(`ledger rule ${NEWEST_RULE}`, Buffer.from(JSON.stringify(numbers)))
  const knownByKey = new Map(known.map((callback) => [callbackKey(callback), callback]))
  const nothingNew = { payments: [], refused: [] }
  await insertAll(tx, { call, rejections: [], replayOf: undefined, tombstoneNo }, { ...change, ...nothingNew, known, knownByKey })
  await sql`update payment_callback set rule = ${NEWEST_RULE} where callback_no = any(${numbers}::bigint[])`.execute(tx)
}

/** Reads every callback after that payment when few need it. */
function pageAfter(db: Database, after: PaymentRef): Promise<PaymentRef[]> {
  return db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    const { rows } = await sql<PaymentRef>`
      select provider, payment_ref as "paymentRef" from payment_callback
      where (provider, payment_ref) > (${after.provider}, ${after.paymentRef})
      group by 1, 2
      having coalesce(max(rule), 1) < ${NEWEST_RULE} and (
        count(*) filter (where status = 'success') > 1
        or bool_or(status = 'success') and bool_or(status = 'failed')
        or not bool_or(status = 'success') and bool_or(status in ('pending', 'refunded')))
      order by 1, 2 limit ${PAYMENTS_PER_PAGE}`.execute(tx)
    return rows
  })
}
