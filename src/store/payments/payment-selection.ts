import { sql } from 'kysely'
import type { NewRejection } from '../../admission/rows.ts'
import type { NewPayment } from '../../admission/payment.ts'
import { type Callback, callbackKey, type Item, type Rule } from '../../ledger/callback.ts'
import { differentFields } from '../../ledger/content.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { batchOf } from '../log/batch.ts'
import { type Call, callIdOf } from '../log/call.ts'
import type { KnownPayment } from './payment-callback.ts'
import { isPayment } from './payment-effects.ts'

export interface Selected {
  /** The new callbacks, each once, with the sellers that the catalog names and the rule that is in force. */
  payments: NewPayment[]
  /** Callbacks that are not recorded. */
  refused: NewRejection[]
}

/** Which of a call's callbacks are new. `known` has the recorded callbacks with their ids. */
export async function selectNew(
  tx: Queryable,
  call: Call,
  payments: readonly NewPayment[],
  known: ReadonlyMap<string, KnownPayment>,
): Promise<Selected> {
  const unknown = payments.filter((payment) => !known.has(callbackKey(payment)))
  const { horizon, sellers, rule, named } = await readState(tx, unknown)
  const isTooEarly = rule < 2 || (unknown.some(needsSecondRule) && (await batchOf(tx, call)) !== undefined)
  const timeProblemOf = recordingProblem(horizon, isTooEarly)
  const inTime = firstOfEachKey(unknown.filter((payment) => timeProblemOf(payment) === undefined))
  // First what every attempt of the call finds: after the first one, its batch makes callbacks of rule 2 too early.
  const problemOf = (payment: NewPayment) => reversalProblem(payment, [...(named ?? []), ...inTime]) ?? timeProblemOf(payment)
  const problems = unknown.flatMap((payment) => {
    const problem = problemOf(payment)
    return problem === undefined ? [] : [{ ...problem, index: payment.index, item: payment.item }]
  })
  const refusedIndexes = new Set(problems.map(({ index }) => index))
  const recordable = unknown.filter(({ index }) => !refusedIndexes.has(index))
  const selected = firstOfEachKey(recordable).map((payment) => ({ ...withSellers(payment, sellers ?? {}), rule }))
  const recorded = new Map<string, Callback>([...selected.map((payment) => [callbackKey(payment), payment] as const), ...known])
  const again = payments.filter(
    (payment) => !refusedIndexes.has(payment.index) && !selected.some((one) => one.index === payment.index),
  )
  const contradictions = again.flatMap((payment) => contradictionOf(payment, recorded.get(callbackKey(payment))!, call))
  return { payments: selected, refused: [...problems, ...contradictions] }
}

interface State {
  horizon: Date
  rule: Rule
  /** By product. */
  sellers: Record<string, string> | null
  /** The recorded callbacks that new ones reverse. */
  named: NamedCallback[] | null
}

type NamedCallback = Pick<Callback, 'provider' | 'callbackId' | 'paymentRef'>

async function readState(tx: Queryable, unknown: readonly NewPayment[]): Promise<State> {
  // Moving the horizon waits for transactions with this lock, so that none of them records an event before the horizon.
  await sql`lock table interaction, analytics_event in row exclusive mode`.execute(tx)
  const withoutSeller = unknown.filter(isPayment).flatMap(({ items }) => items.filter(({ sellerId }) => sellerId === null))
  const products = withoutSeller.flatMap(({ productId }) => productId ?? [])
  const reversals = unknown.filter(({ reverses }) => reverses !== null)
  const result = await sql<State>`
    select horizon, rule, (
      select json_object_agg(product_id, seller_id) from catalog.product
      where product_id = any(${products}::text[]) and seller_id is not null
    ) as sellers, (
      select json_agg(json_build_object('provider', provider, 'callbackId', callback_id, 'paymentRef', payment_ref))
      from payment_callback join unnest(${reversals.map(({ provider }) => provider)}::text[],
        ${reversals.map(({ reverses }) => reverses)}::text[]) as n (provider, callback_id) using (provider, callback_id)
    ) as named from log_horizon cross join ledger_rule`.execute(tx)
  return onlyRow(result)
}

function withSellers(payment: NewPayment, sellers: Record<string, string>): NewPayment {
  if (!isPayment(payment)) return payment
  const items = payment.items.map((item): Item => {
    const { productId, sellerId } = item
    if (productId === null || sellerId !== null || !Object.hasOwn(sellers, productId)) return item
    return { ...item, sellerId: sellers[productId]!, isSellerOfCatalog: true }
  })
  return { ...payment, items }
}

type Problem = Pick<NewRejection, 'code' | 'field' | 'message'>

/**
 * Why a new callback cannot be recorded now. `isTooEarly` is for callbacks that need rule 2: it is not in force, or an earlier attempt of
 * the call found that, and recorded the batch of the call without them.
 */
function recordingProblem(horizon: Date, isTooEarly: boolean): (payment: NewPayment) => Problem | undefined {
  const tooOld = `is before the horizon ${horizon.toISOString().slice(0, 19)}Z`
  const notYet = 'is of a form for which a release is still being installed'
  return (payment) => {
    if (payment.occurredAtMs < horizon.getTime()) return { code: 'too_old', field: 'occurred_at', message: tooOld }
    if (isTooEarly && needsSecondRule(payment)) return { code: 'not_yet', field: null, message: notYet }
    return undefined
  }
}

/** Why a reversal can never count: what it names is of another payment. It waits for what is not known. */
function reversalProblem({ provider, paymentRef, reverses }: NewPayment, known: readonly NamedCallback[]): Problem | undefined {
  if (reverses === null) return undefined
  const named = known.find((callback) => callback.provider === provider && callback.callbackId === reverses)
  if (named === undefined || named.paymentRef === paymentRef) return undefined
  return { code: 'refused', field: 'reverses', message: `names a callback of another payment, ${named.paymentRef}` }
}

/** Whether a callback says something that rule 1 does not know. */
function needsSecondRule({ captureRef, reverses, items }: Callback): boolean {
  const isNewKind = items.some(({ productId, quantity }) => productId === null || !Number.isInteger(quantity))
  return captureRef !== null || reverses !== null || isNewKind
}

/** A map keeps the last value of a key, which is the first callback when they are reversed. */
function firstOfEachKey(payments: readonly NewPayment[]): NewPayment[] {
  const byKey = new Map(payments.toReversed().map((payment) => [callbackKey(payment), payment]))
  return [...byKey.values()].toReversed()
}

/**
 * A callback whose id was recorded with other content. Its time, shopper and duration may differ, because providers report one refund
 * several times under its id.
 */
function contradictionOf(payment: NewPayment, recorded: Callback | KnownPayment, call: Call): NewRejection[] {
  const { index, item } = payment
  if ('callId' in recorded && recorded.callId === callIdOf(call) && recorded.callIndex === index) return []
  const fields = [
    ...(payment.status === recorded.status ? [] : ['status']),
    ...(payment.paymentRef === recorded.paymentRef ? [] : ['payment_ref']),
    ...(payment.captureRef === recorded.captureRef ? [] : ['capture_ref']),
    ...(payment.reverses === recorded.reverses ? [] : ['reverses']),
    ...differentFields(payment, recorded),
  ]
  if (fields.length === 0) return []
  return [
    {
      index,
      item,
      code: 'refused',
      field: fields[0]!,
      message: `differs from the callback that was recorded with this callback_id${more(fields)}`,
    },
  ]
}

function more([, ...others]: readonly string[]): string {
  return others.length === 0 ? '' : `; so do ${others.join(', ')}`
}
