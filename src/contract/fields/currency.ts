import { z } from 'zod'

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'))

/** An ISO 4217 code. Amounts are integers in its minor units. Amounts of different currencies are never added together. */
export const Currency = z
  .string()
  .regex(/^[A-Z]{3}$/, { error: 'must be an ISO 4217 code such as EUR', abort: true })
  .refine((code) => CURRENCIES.has(code), { error: 'is not a currency of ISO 4217' })
