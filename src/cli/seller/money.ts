/** Currencies whose minor unit is not a hundredth, by ISO 4217. Intl counts the decimals that are used in cash: none of IQD. */
const OTHERS: Record<number, string> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
}
const DECIMALS = new Map(
  Object.entries(OTHERS).flatMap(([decimals, codes]) => codes.split(' ').map((code) => [code, Number(decimals)])),
)

/** Writes amounts in minor units of a currency as people do. */
export function moneyIn(currency: string): (minorUnits: number) => string {
  const decimals = DECIMALS.get(currency) ?? 2
  const style = { style: 'currency', currency, minimumFractionDigits: decimals, maximumFractionDigits: decimals } as const
  const format = new Intl.NumberFormat('en', style)
  // As decimal text it stays exact.
  return (minorUnits) => format.format(`${minorUnits}E-${decimals}` as Intl.StringNumericLiteral)
}
