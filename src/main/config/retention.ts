import type { RetentionSettings } from '../../../services/handler/deps.ts'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'

export const retentionSettings = settingsIn('Retention', {
  RETENTION_DAYS: wholeNumber(32, 36_500)
    .optional()
    .describe(
      'Months of the log that ended more than this many days ago are dropped; none when absent. At least 32, so that the events of the last month can still be replayed and recognised as duplicates.',
    )
    .meta({ unit: 'days' }),
  ROLL_UP_AFTER_DAYS: wholeNumber(400, 36_500)
    .optional()
    .describe(
      'Counts per hour become counts per day at this age; never when absent. At least 400, so that no window of up to 365 days includes them.',
    )
    .meta({ unit: 'days' }),
  REJECTED_DAYS: wholeNumber(1, 36_500)
    .default(90)
    .describe('Rejected events are deleted at this age, replayed or not.')
    .meta({ unit: 'days' }),
  PENDING_DAYS: wholeNumber(1, 36_500)
    .default(30)
    .describe("A payment that is pending for more days of UTC is given up: its items are in no seller's pending_items any more.")
    .meta({ unit: 'days' }),
  IMPRESSION_DAYS: wholeNumber(1, 3_650)
    .default(90)
    .describe('Impressions of recommendations are deleted when their day of UTC ended so many days ago.')
    .meta({ unit: 'days' }),
  DELIVERY_DAYS: wholeNumber(1, 3_650)
    .default(30)
    .describe('Deliveries of alerts are deleted so many days after they were delivered, given up or dropped.')
    .meta({ unit: 'days' }),
  IGNORED_WEBHOOK_DAYS: wholeNumber(0, 36_500)
    .default(7)
    .describe('Webhooks that a payment adapter ignored are deleted at this age; 0 keeps none of them.')
    .meta({ unit: 'days' }),
  JOURNAL_MINUTES: wholeNumber(0, 60)
    .default(0)
    .describe(
      'How long Restate keeps the bodies of calls that record, so that ./footfall reconcile --repair can bring back what a failover of PostgreSQL lost; 0 keeps none. ./footfall register takes a change into force.',
    )
    .meta({ unit: 'minutes' }),
})

export function retentionOf(config: SettingsOf<typeof retentionSettings>): RetentionSettings {
  return {
    retentionDays: config.RETENTION_DAYS,
    rollUpAfterDays: config.ROLL_UP_AFTER_DAYS,
    rejectedDays: config.REJECTED_DAYS,
    ignoredWebhookDays: config.IGNORED_WEBHOOK_DAYS,
    impressionDays: config.IMPRESSION_DAYS,
    deliveryDays: config.DELIVERY_DAYS,
  }
}
