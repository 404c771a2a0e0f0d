import { z } from 'zod'

/** Active codes of ISO 4217 that Intl leaves out: funds, units of account and metals. XTS and XXX are codes of no currency. */
const NOT_IN_INTL = 'BOV CHE CHW CLF COU MXV USN UYI UYW VED XAD XAG XAU XBA XBB XBC XBD XCG XDR XPD XPT XSU XUA ZWG'
const CURRENCIES: ReadonlySet<string> = new Set([...Intl.supportedValuesOf('currency'), ...NOT_IN_INTL.split(' ')])

/** An ISO 4217 code. Amounts are integers in its minor units. Amounts of different currencies are never added together. */
export const Currency = z
  .string()
  .regex(/^[A-Z]{3}$/, { error: 'must be an ISO 4217 code such as EUR', abort: true })
  .refine((code) => CURRENCIES.has(code), { error: 'is not a currency of ISO 4217' })

/** Currencies that do not have 2 decimals in ISO 4217. Intl is no source, because it has the decimals used in cash: 0 for IQD. */
const CODES_BY_DECIMALS: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
}
const DECIMALS = new Map(
  Object.entries(CODES_BY_DECIMALS).flatMap(([decimals, codes]) => codes.split(' ').map((code) => [code, Number(decimals)])),
)

/** How many decimals amounts of a currency have: a minor unit is 10^-decimals of the currency. */
export function decimalsOf(currency: string): number {
  return DECIMALS.get(currency) ?? 2
}
