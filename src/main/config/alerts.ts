import { z } from 'zod'
import type { AlertDeps } from '../../../services/handler/deps.ts'
import { createWebhookSender } from '../../external/webhook-sender.ts'
import { settingsIn, type SettingsOf } from './setting.ts'

export const alertSettings = settingsIn('Alerts', {
  ALERT_PRIVATE_TARGETS: z
    .enum(['on', 'off'])
    .default('off')
    .describe(
      'Whether alerts may be sent to this machine, to private networks and to other addresses of special use. With on, each holder of a key with the scope manage can make the endpoint call services there.',
    ),
})

export function alertsOf({ ALERT_PRIVATE_TARGETS }: SettingsOf<typeof alertSettings>): AlertDeps {
  const allowsPrivateTargets = ALERT_PRIVATE_TARGETS === 'on'
  return { allowsPrivateTargets, send: createWebhookSender({ allowsPrivate: allowsPrivateTargets }) }
}
