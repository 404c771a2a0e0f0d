import { settingsIn, wholeNumber } from './setting.ts'

export const verificationSettings = settingsIn('Verification', {
  VERIFY_HOUR: wholeNumber(0, 23)
    .optional()
    .describe('The hour of UTC from which on Footfall verifies every number, once a day. Never when absent.')
    .meta({ unit: 'hour of UTC' }),
})
