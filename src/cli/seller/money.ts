/** Currencies that do not have 2 decimals in ISO 4217. Intl is no source, because it has the decimals used in cash: 0 for IQD. */
const CODES_BY_DECIMALS: Record<number, string> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
}
const DECIMALS = new Map(
  Object.entries(CODES_BY_DECIMALS).flatMap(([decimals, codes]) => codes.split(' ').map((code) => [code, Number(decimals)])),
)

/** Formats amounts in minor units of a currency, e.g. €19.90. */
export function moneyIn(currency: string): (minorUnits: number) => string {
  const decimals = DECIMALS.get(currency) ?? 2
  const style = { style: 'currency', currency, minimumFractionDigits: decimals, maximumFractionDigits: decimals } as const
  const format = new Intl.NumberFormat('en', style)
  // Text keeps the amount exact, and a division would not.
  return (minorUnits) => format.format(`${minorUnits}E-${decimals}` as Intl.StringNumericLiteral)
}
