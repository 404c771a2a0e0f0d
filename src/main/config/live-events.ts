import { readSecret } from './secret.ts'
import { settingsIn, type SettingsOf, text, wholeNumber } from './setting.ts'
import { StartError } from './start-error.ts'

const IN_PROCESS = 'process'
const MEBIBYTE = 1024 * 1024

export const liveEventSettings = settingsIn('Shoppers', {
  SHOPPER_STORE: text
    .refine(isStore, { error: 'must be process, or a URL such as redis://host:6379 or rediss://user@host:6380/1' })
    .default(IN_PROCESS)
    .describe(
      'Where events of POST /api/v1/event are until PostgreSQL has them: process (in the memory of each gateway), or the URL of a Redis (rediss: with TLS) for several gateways or for other services.',
    ),
  SHOPPER_STORE_PASSWORD_FILE: text
    .optional()
    .describe('File with the password of the Redis in SHOPPER_STORE. The address itself then needs no password.'),
  SHOPPER_STORE_SHOPPERS_MAX: wholeNumber(1_000, 10_000_000)
    .default(100_000)
    .describe(
      'Shoppers of whom a gateway keeps events in its memory. Beyond it, the one with the oldest last event is forgotten.',
    )
    .meta({ unit: 'shoppers' }),
  SHOPPER_STORE_MIB_MAX: wholeNumber(1, 65_536)
    .default(128)
    .describe(
      'What these events take in the memory of a gateway, estimated. Beyond it, the shopper with the oldest last event is forgotten.',
    )
    .meta({ unit: 'MiB' }),
})

type LiveEventSettings = SettingsOf<typeof liveEventSettings>

/** Where live events are: in the process within these bounds, or in a Redis. @throws StartError when the password cannot be used. */
export function liveEventStoreOf(config: LiveEventSettings) {
  const { SHOPPER_STORE: store, SHOPPER_STORE_PASSWORD_FILE: file } = config
  if (store !== IN_PROCESS) return { url: withPassword(store, file) } as const
  if (file !== undefined) throw new StartError('SHOPPER_STORE_PASSWORD_FILE is set: set SHOPPER_STORE too, or unset it.')
  return { shoppersMax: config.SHOPPER_STORE_SHOPPERS_MAX, bytesMax: config.SHOPPER_STORE_MIB_MAX * MEBIBYTE } as const
}

function withPassword(address: string, file: string | undefined): string {
  if (file === undefined) return address
  const url = new URL(address)
  url.password = encodeURIComponent(readSecret('SHOPPER_STORE_PASSWORD_FILE', file))
  return url.href
}

function isStore(store: string): boolean {
  if (store === IN_PROCESS) return true
  const url = URL.parse(store)
  return (
    url !== null && /^rediss?:$/.test(url.protocol) && url.hostname !== '' && /^\/?\d*$/.test(url.pathname) && url.search === ''
  )
}
