import { textOf } from './row.ts'
import { Unreadable } from './unreadable.ts'

const DECIMAL = /^(\d+)(?:\.(\d+))?$/
/** A number of JSON lines is a double, which keeps so many digits of what stands in the file. */
const EXACT_DIGITS_MAX = 15

/**
 * A price in minor units, moved by digits and not by floats: with two decimals 19.9 is 1990. Without `decimals` it is in minor
 * units already, and a decimal point is a mistake.
 */
export function readPrice(cell: unknown, decimals: number | undefined): number | Unreadable {
  const text = textOf(cell).trim()
  const unreadable = (why: string) => new Unreadable(`${JSON.stringify(text.slice(0, 100))} ${why}`)
  const [, whole, fraction = ''] = DECIMAL.exec(text) ?? []
  if (whole === undefined) return unreadable('is not a price')
  if (decimals === undefined && fraction !== '')
    return unreadable('is not in minor units (for decimal prices give --price-decimals)')
  const places = decimals ?? 0
  if (/[1-9]/.test(fraction.slice(places))) return unreadable(`has more than ${places} decimals`)
  const digits = (whole + fraction.slice(0, places).padEnd(places, '0')).replace(/^0+(?=\d)/, '')
  if (typeof cell === 'number' && places > 0 && digits.length > EXACT_DIGITS_MAX)
    return unreadable('has too many digits for a JSON number: write it as a text')
  const price = Number(digits)
  return Number.isSafeInteger(price) ? price : unreadable('is beyond 2^53 - 1 minor units')
}
