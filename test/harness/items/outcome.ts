import { settle } from '../../../src/ledger/settlement.ts'
import type { NewPayment } from '../../../src/admission/payment.ts'

/** What callbacks leave of their payments, the events that follow from them, and the parts of them that do not count. */
export function outcome(...callbacks: NewPayment[]) {
  const { lines, effects, shortfalls } = settle(callbacks)
  const sum = (what: 'quantity' | 'amount' | 'orders') => lines.reduce((total, line) => total + line[what], 0)
  return {
    left: [sum('quantity'), sum('amount'), sum('orders')],
    events: effects.map(({ type }) => type),
    refused: [...shortfalls.values()].flat().map(({ field, message }) => `${field} ${message}`),
  }
}
