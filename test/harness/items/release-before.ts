import type { NewPayment } from '../../../src/admission/payment.ts'
import { type Callback, callbackKey } from '../../../src/ledger/callback.ts'
import { difference } from '../../../src/ledger/difference.ts'
import { settle } from '../../../src/ledger/settlement.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { insertCallbacks, lockKnown, subjectsOf, updateShortfalls } from '../../../src/store/payments/payment-callback.ts'
import { tryRecording } from '../../../src/store/payments/payment-recording.ts'
import { addSales } from '../../../src/store/payments/sale-line.ts'
import { newCall } from './payments.ts'

/**
 * Records callbacks as a release does whose ledger has rule 1 only: it takes every callback for one of rule 1, and writes no rule. Without
 * the events and interactions that follow, which do not depend on the rule.
 */
export async function recordAsReleaseBefore(db: Database, payments: readonly NewPayment[]): Promise<void> {
  await tryRecording(db, payments.flatMap(subjectsOf), async (tx, { subjects }) => {
    const known = (await lockKnown(tx, subjects)).map((callback) => ({ ...callback, rule: 1 as const }))
    const numbers = new Map(known.map((callback) => [callbackKey(callback), callback.number]))
    const added = payments
      .filter((payment) => !numbers.has(callbackKey(payment)))
      .map((payment) => ({ ...payment, rule: 1 as const }))
    const after = settle([...known, ...added])
    const { lines, pending } = difference(settle(known), after)
    await updateShortfalls(tx, known, after.shortfalls)
    const withoutRule = added.map((payment) => ({ ...payment, rule: null as never }))
    const inserted = await insertCallbacks(tx, newCall(), withoutRule, after.shortfalls)
    const numberOf = (callback: Callback) => inserted.get(callbackKey(callback)) ?? numbers.get(callbackKey(callback))!
    await addSales(tx, { lines, pending, numberOf })
  })
}
