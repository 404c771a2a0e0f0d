import { isIP } from 'node:net'
import type { RateLimits } from '../../gateway/access/rate-limit.ts'
import type { RejectionLimits } from '../../gateway/recording/rejection-budget.ts'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'
import { z } from 'zod'

export const accessSettings = settingsIn('Access', {
  TRUSTED_PROXIES: z
    .string()
    .refine((list) => list.split(',').every((network) => isNetwork(network.trim())), {
      error: 'must be addresses and networks with commas, such as 10.0.0.7,192.168.0.0/16',
    })
    .optional()
    .describe(
      'Addresses and networks of the proxies in front of the gateway, separated by commas. The gateway trusts their X-Forwarded-For.',
    ),
  RATE_LIMIT_PER_MINUTE: wholeNumber(1, 10_000_000)
    .default(60_000)
    .describe('Requests per minute of a secret key without a limit of its own, and of all tokens of one seller.')
    .meta({ unit: 'requests/min' }),
  PUBLISHABLE_RATE_LIMIT_PER_MINUTE: wholeNumber(1, 10_000_000)
    .default(600)
    .describe('Requests per minute and client address of a publishable key without a limit of its own.')
    .meta({ unit: 'requests/min' }),
  PUBLISHABLE_EVENT_DAYS_MAX: wholeNumber(1, 36_500)
    .default(30)
    .describe(
      'Greatest age of the events that a publishable key may send; the gateway rejects older ones, and keeps none of them.',
    )
    .meta({ unit: 'days' }),
  REJECTED_MIB_PER_HOUR: wholeNumber(1, 1_048_576)
    .default(1_024)
    .describe('Size of the rejected events of a secret key that are kept each hour. Beyond it they are answered, and not kept.')
    .meta({ unit: 'MiB/h' }),
  PUBLISHABLE_REJECTED_MIB_PER_HOUR: wholeNumber(1, 1_048_576)
    .default(16)
    .describe('The same for a publishable key; a sixteenth of it for each client address.')
    .meta({ unit: 'MiB/h' }),
})

/** Of what is kept of a publishable key. */
const ADDRESS_SHARE = 1 / 16

/** For one of so many processes. */
export function rejectionLimitsOf(config: SettingsOf<typeof accessSettings>, processes: number): RejectionLimits {
  const bytesOf = (mebibytes: number) => Math.ceil((mebibytes * 1024 * 1024) / processes)
  const publishableBytes = bytesOf(config.PUBLISHABLE_REJECTED_MIB_PER_HOUR)
  return {
    secretBytes: bytesOf(config.REJECTED_MIB_PER_HOUR),
    publishableBytes,
    addressBytes: publishableBytes * ADDRESS_SHARE,
  }
}

export function rateLimitsOf(config: SettingsOf<typeof accessSettings>): RateLimits {
  return {
    secretPerMinute: config.RATE_LIMIT_PER_MINUTE,
    publishablePerMinute: config.PUBLISHABLE_RATE_LIMIT_PER_MINUTE,
  }
}

/** Whether a text is an IP address, alone or with the prefix length of its network. */
function isNetwork(text: string): boolean {
  const [address = '', bits = '1', ...more] = text.split('/')
  const bitsMax = isIP(address) === 4 ? 32 : 128
  return isIP(address) > 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= bitsMax
}
