import { textOf } from './row.ts'
import { Unreadable } from './unreadable.ts'

const DECIMAL = /^(\d+)(?:\.(\d+))?$/
/** The digits of the file that a number of JSON lines keeps, because it is a double. */
const EXACT_DIGITS_MAX = 15

/**
 * A price in minor units: with two decimals 19.9 is 1990. Digits are moved as text, because floats round. Without `decimals` the cell
 * is in minor units, and a decimal point is an error.
 */
export function readPrice(cell: unknown, decimals: number | undefined): number | Unreadable {
  const text = textOf(cell).trim()
  const unreadable = (problem: string) => new Unreadable(`${JSON.stringify(text.slice(0, 100))} ${problem}`)
  const [, whole, fraction = ''] = DECIMAL.exec(text) ?? []
  if (whole === undefined) return unreadable('is not a price')
  if (decimals === undefined && fraction !== '')
    return unreadable('is not in minor units (for decimal prices give --price-decimals)')
  const places = decimals ?? 0
  if (/[1-9]/.test(fraction.slice(places))) return unreadable(`has more than ${places} decimals`)
  const digits = (whole + fraction.slice(0, places).padEnd(places, '0')).replace(/^0+(?=\d)/, '')
  if (typeof cell === 'number' && places > 0 && digits.length > EXACT_DIGITS_MAX)
    return unreadable('has too many digits for a JSON number: write it as text')
  const price = Number(digits)
  return Number.isSafeInteger(price) ? price : unreadable('is beyond 2^53 - 1 minor units')
}
