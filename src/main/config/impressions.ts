import { z } from 'zod'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'

export const impressionSettings = settingsIn('Impressions of recommendations', {
  RECOMMENDATION_IMPRESSIONS: z
    .enum(['on', 'off'])
    .default('on')
    .describe(
      'Whether each answer with recommendations is recorded as an impression. Without them nothing is attributed, and products do not rotate.',
    ),
  ATTRIBUTION_HOURS: wholeNumber(1, 720)
    .default(24)
    .describe(
      'For so long after a product was shown to a shopper, its clicks, carts and purchases count for the recommendation. A change is in force at once, for old events too.',
    )
    .meta({ unit: 'h' }),
})

type ImpressionSettings = SettingsOf<typeof impressionSettings>

export function recordsImpressions({ RECOMMENDATION_IMPRESSIONS }: ImpressionSettings): boolean {
  return RECOMMENDATION_IMPRESSIONS === 'on'
}
