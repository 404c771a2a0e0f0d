import { textOf } from '../source/row.ts'
import { plainNumber } from './number.ts'
import { unreadable, type Unreadable } from './unreadable.ts'
import type { ValueReading } from './value-reading.ts'

/** Minus signs before, as SAP writes them after, and the brackets of accounts. */
const NEGATIVE = /^(?:[-\u2212]\s*(?<before>.+)|(?<after>.+?)\s*-|\((?<inside>.+)\))$/
/** `12.0` and `12.000`: programs write whole numbers with decimals when their column has some. */
const WHOLE = /^\+?(\d+)(?:\.0*)?$/
const THOUSANDS_OR_DECIMALS = /^\d{1,3}\.000$/
/** `1,200` and `12,0`, which have no meaning without an option. */
const NEEDS_MARK = /^[-+]?(?:\d{1,3}(?:[.,' \u00A0]\d{3})+(?:[.,]0*)?|\d+,0*)$/

/** How many items are in stock. The number is below 0 when more are ordered than there are. */
export function readQuantity(cell: unknown, { mark, observed }: Pick<ValueReading, 'mark' | 'observed'>): number | Unreadable {
  const quantity = typeof cell === 'string' ? wholeNumberIn(cell.trim(), mark) : cell
  if (typeof quantity !== 'number' || !Number.isSafeInteger(quantity)) {
    const text = textOf(cell)
    const hint = mark === undefined && NEEDS_MARK.test(text.trim()) ? ' (--decimal reads thousands and decimal commas)' : ''
    return unreadable(text, `is not a whole number from ${Number.MIN_SAFE_INTEGER} to ${Number.MAX_SAFE_INTEGER}${hint}`)
  }
  if (mark === undefined && typeof cell === 'string' && THOUSANDS_OR_DECIMALS.test(cell.trim())) observed?.addDecimalZeros(cell)
  // Not -0, which is not equal to 0 everywhere.
  return quantity + 0
}

function wholeNumberIn(text: string, mark: ValueReading['mark']): number | undefined {
  const { before, after, inside } = NEGATIVE.exec(text)?.groups ?? {}
  const negative = before ?? after ?? inside
  const magnitude = negative ?? text
  const [, digits] = WHOLE.exec((mark === undefined ? magnitude : plainNumber(magnitude, mark)) ?? '') ?? []
  if (digits === undefined) return undefined
  return negative === undefined ? Number(digits) : -Number(digits)
}
