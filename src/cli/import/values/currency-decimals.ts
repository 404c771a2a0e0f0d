/** Currencies whose minor unit is no hundredth, by ISO 4217. `Intl` has other numbers for some, e.g. none for the Iraqi dinar. */
const DECIMALS: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
}
const DECIMALS_OF = new Map(
  Object.entries(DECIMALS).flatMap(([decimals, codes]) => codes.split(' ').map((code) => [code, Number(decimals)])),
)

/** How many decimals amounts of a currency have. */
export function decimalsOf(currency: string): number {
  return DECIMALS_OF.get(currency) ?? 2
}
