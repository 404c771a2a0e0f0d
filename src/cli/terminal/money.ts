import { decimalsOf } from '../../contract/fields/currency.ts'

/** Formats amounts in minor units of a currency, e.g. €19.90. Every amount that a command prints goes through it. */
export function moneyIn(currency: string): (minorUnits: number) => string {
  const decimals = decimalsOf(currency)
  const style = { style: 'currency', currency, minimumFractionDigits: decimals, maximumFractionDigits: decimals } as const
  const format = new Intl.NumberFormat('en', style)
  // Text keeps the amount exact, and a division would not.
  return (minorUnits) => format.format(`${minorUnits}E-${decimals}` as Intl.StringNumericLiteral)
}
