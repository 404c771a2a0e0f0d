import { z } from 'zod'
import type { PreferenceSettings } from '../../ranking/preferences.ts'
import type { ContextSettings } from '../../ranking/shopper-context.ts'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'

export const shopperSettings = settingsIn('Shoppers', {
  SHOPPER_IDLE_MINUTES: wholeNumber(1, 1_440)
    .default(15)
    .describe("A longer pause ends a shopper's visit, and so its context.")
    .meta({ unit: 'min' }),
  SHOPPER_PRODUCTS_MAX: wholeNumber(1, 100)
    .default(20)
    .describe("Products of a shopper's context; the newest are kept.")
    .meta({ unit: 'products' }),
  PREFERENCE_HALF_LIFE_DAYS: z.coerce
    .number()
    .min(0.1)
    .max(3_650)
    .default(30)
    .describe(
      "The age at which an event counts half in a shopper's affinities. A change is in force at once, for old events too.",
    )
    .meta({ unit: 'days' }),
})

export function contextSettingsOf(config: SettingsOf<typeof shopperSettings>): ContextSettings {
  return { idleMs: config.SHOPPER_IDLE_MINUTES * 60_000, productsMax: config.SHOPPER_PRODUCTS_MAX }
}

export function preferenceSettingsOf(config: SettingsOf<typeof shopperSettings>): PreferenceSettings {
  return { halfLifeDays: config.PREFERENCE_HALF_LIFE_DAYS }
}
