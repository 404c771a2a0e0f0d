import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { SourceSlug } from '../../contract/payment.ts'
import type { PaymentAdapter } from '../../contract/payment-adapter.ts'
import { plainMessage } from '../../contract/fields/zod-messages.ts'
import { messageOf } from '../../contract/thrown.ts'
import { CHECKOUT } from './checkout.ts'
import { SECRETS_MAX, secretsIn } from './secret.ts'
import { settingsIn, type SettingsOf, text } from './setting.ts'
import { StartError } from './start-error.ts'

export const paymentSettings = settingsIn('Access', {
  PAYMENT_SECRET_FILE: text
    .optional()
    .describe(
      'File with the secret that signs payment callbacks, or with two while it changes, one per line; npm start makes one in FOOTFALL_HOME when absent.',
    ),
  PAYMENT_ADAPTERS: text
    .optional()
    .describe(
      "JavaScript modules, separated by commas, that each map a payment provider's webhooks (docs/payments.md); relative to the checkout.",
    ),
})

type PaymentSettings = SettingsOf<typeof paymentSettings>

const SECRET_CHARACTERS_MIN = 16
const Secrets = z.array(z.string().min(SECRET_CHARACTERS_MIN)).min(1).max(SECRETS_MAX)

/** The secrets of callbacks in Footfall's own form; empty without a file. */
export function paymentSecretsOf({ PAYMENT_SECRET_FILE: file }: Pick<PaymentSettings, 'PAYMENT_SECRET_FILE'>): string[] {
  return file === undefined ? [] : secretsIn('PAYMENT_SECRET_FILE', file, SECRET_CHARACTERS_MIN)
}

const aFunction = z.custom((value) => typeof value === 'function', 'must be a function')
const HeaderName = z.string().regex(/^[a-z0-9-]+$/, 'must be a header in small letters')
const Adapter = z
  .looseObject({
    provider: SourceSlug,
    signatureHeader: HeaderName.optional(),
    secrets: Secrets.optional(),
    isSigned: aFunction.optional(),
    headers: z.array(HeaderName).optional(),
    acknowledgesRefused: z.boolean().optional(),
    callbacksOf: aFunction,
  })
  .refine(({ secrets, isSigned }) => secrets !== undefined || isSigned !== undefined, {
    error: 'must have secrets, or isSigned',
  })

/** The shop's adapters. @throws StartError with the module that is not an adapter. */
export async function paymentAdaptersOf({
  PAYMENT_ADAPTERS: files,
}: Pick<PaymentSettings, 'PAYMENT_ADAPTERS'>): Promise<PaymentAdapter[]> {
  const adapters: PaymentAdapter[] = []
  for (const file of files?.split(',').map((file) => file.trim()) ?? []) adapters.push(await adapterIn(file))
  const providers = adapters.map(({ provider }) => provider)
  const duplicate = providers.find((provider, index) => providers.indexOf(provider) !== index)
  if (duplicate !== undefined) throw new StartError(`PAYMENT_ADAPTERS has two adapters of ${duplicate}.`)
  return adapters
}

async function adapterIn(file: string): Promise<PaymentAdapter> {
  let module: { default?: unknown }
  try {
    module = (await import(pathToFileURL(resolve(CHECKOUT, file)).href)) as { default?: unknown }
  } catch (cause) {
    throw new StartError(`PAYMENT_ADAPTERS has ${file}, which cannot be loaded: ${messageOf(cause)}`, { cause })
  }
  const parsed = Adapter.safeParse(module.default, { error: plainMessage })
  if (parsed.success) return module.default as PaymentAdapter
  const { path, message } = parsed.error.issues[0]!
  throw new StartError(`PAYMENT_ADAPTERS has ${file}, whose default export is not an adapter: ${path.join('.')} ${message}`)
}
