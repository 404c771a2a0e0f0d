import { z } from 'zod'
import { type Privacy, PRIVACY_MODES } from '../../admission/privacy.ts'
import { settingsIn, type SettingsOf } from './setting.ts'

export const privacySettings = settingsIn('Privacy', {
  PRIVACY_IP_ADDRESS: z
    .enum(PRIVACY_MODES)
    .default('keep')
    .describe('ip_address of an event before it is stored: keep, truncate (to /24, of IPv6 /48) or drop.'),
  PRIVACY_USER_AGENT: z
    .enum(PRIVACY_MODES)
    .default('keep')
    .describe('user_agent of an event before it is stored: keep, truncate (products and major versions) or drop.'),
})

export function privacyOf(config: SettingsOf<typeof privacySettings>): Privacy {
  return { ipAddress: config.PRIVACY_IP_ADDRESS, userAgent: config.PRIVACY_USER_AGENT }
}
