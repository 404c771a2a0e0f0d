import { Currency, decimalsOf } from '../../../contract/fields/currency.ts'
import { withoutSymbol } from './currency-symbol.ts'
import { type DecimalMark, plainNumber } from './number.ts'
import { textOf } from '../source/row.ts'
import { unreadable, type Unreadable } from './unreadable.ts'

/** How prices are written. */
export interface PriceReading {
  /** Decimals of a price, or `auto` for those of its currency; undefined for prices in minor units. */
  decimals: number | 'auto' | undefined
  mark?: DecimalMark | undefined
}

const DECIMAL = /^(\d+)(?:\.(\d+))?$/
/** 1.500 may be 1500 or 1.5. */
const THOUSANDS_OR_DECIMALS = /^[1-9]\d{0,2}\.\d{3}$/
/** The digits of the file that a number of JSON lines keeps, because it is a double. */
const EXACT_DIGITS_MAX = 15

/**
 * A price in minor units: with two decimals 19.9 is 1990. Digits are moved as text, because floats round. Without `decimals` the cell
 * is in minor units, and a decimal point is an error.
 */
export function readPrice(cell: unknown, { decimals, mark }: PriceReading, currency?: string): number | Unreadable {
  const text = textOf(cell).trim()
  const amount = currency === undefined || /^[\d.,]*$/.test(text) ? text : withoutSymbol(text, currency)
  const plain = typeof cell === 'string' && mark !== undefined ? plainNumber(amount, mark) : amount
  const [, whole, fraction = ''] = DECIMAL.exec(plain ?? '') ?? []
  if (whole === undefined) return unreadable(text, `is not a price${hintOf(amount, mark)}`)
  if (decimals === 'auto' && currency === undefined)
    return unreadable(text, 'needs a currency, which says how many decimals it has (see --price-decimals)')
  if (decimals === undefined && fraction !== '')
    return unreadable(text, 'is not in minor units (for decimal prices give --price-decimals)')
  const places = decimals === 'auto' ? decimalsOf(currency!) : (decimals ?? 0)
  if (/[1-9]/.test(fraction.slice(places))) {
    const thousands = places === 0 && THOUSANDS_OR_DECIMALS.test(plain!) ? ' (--decimal , reads thousands)' : ''
    const has = decimals === 'auto' ? `, and ${currency} has ${places}` : ''
    return unreadable(text, `has more than ${places} decimals${has}${thousands}`)
  }
  const isText = typeof cell === 'string' && mark === undefined
  const problem = placesProblem(plain!, { decimals, places, currency, isText })
  if (problem !== undefined) return unreadable(text, problem)
  const digits = (whole + fraction.slice(0, places).padEnd(places, '0')).replace(/^0+(?=\d)/, '')
  if (typeof cell === 'number' && places > 0 && digits.length > EXACT_DIGITS_MAX)
    return unreadable(text, 'has too many digits for a JSON number: write it as text')
  const price = Number(digits)
  return Number.isSafeInteger(price) ? price : unreadable(text, 'is beyond 2^53 - 1 minor units')
}

/**
 * Why a decimal price may not be what it seems: its point may separate thousands, or its currency has other decimals, so that its minor
 * units would be another amount.
 */
function placesProblem(
  plain: string,
  {
    decimals,
    places,
    currency,
    isText,
  }: Pick<PriceReading, 'decimals'> & { places: number; currency: string | undefined; isText: boolean },
): string | undefined {
  if (isText && places < 3 && THOUSANDS_OR_DECIMALS.test(plain))
    return `may be ${plain.replace('.', '')} or ${Number(plain)} (give --decimal , or --decimal .)`
  if (typeof decimals !== 'number' || currency === undefined || decimalsOf(currency) === places) return undefined
  if (!Currency.safeParse(currency).success) return undefined
  return `would have ${places} decimals by --price-decimals, and ${currency} has ${decimalsOf(currency)} (give --price-decimals auto)`
}

function hintOf(text: string, mark: DecimalMark | undefined): string {
  if (mark !== undefined) return ` with ${JSON.stringify(mark)} before its decimals`
  return /^[\d.,' \u00A0]*\d$/.test(text) ? ' (give --decimal , or --decimal . for numbers with thousands separators)' : ''
}
