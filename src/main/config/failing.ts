import type { Deps } from '../../../services/handler/deps.ts'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'

const INTERVAL_MS_MIN = 100

export const failingSettings = settingsIn('Failing handlers', {
  RETRY_ATTEMPTS_MAX: wholeNumber(1)
    .default(120)
    .describe('Attempts of a failing handler before it is paused; about an hour with the defaults.')
    .meta({ unit: 'attempts' }),
  RETRY_INTERVAL_MS_MAX: wholeNumber(50).default(30_000).describe('Longest pause between two attempts.').meta({ unit: 'ms' }),
})

export function retryPolicyOf(config: SettingsOf<typeof failingSettings>): Deps['retryPolicy'] {
  return {
    initialInterval: INTERVAL_MS_MIN,
    exponentiationFactor: 2,
    maxInterval: config.RETRY_INTERVAL_MS_MAX,
    maxAttempts: config.RETRY_ATTEMPTS_MAX,
    onMaxAttempts: 'pause',
  }
}
