import { rpc } from '@restatedev/restate-sdk'
import { alertDeliveryApi } from '../../src/contract/services.ts'
import { alertsWithDueDeliveries } from '../../src/store/alerts/delivery.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

/** Restate drops a message while an earlier one of the alert waits or works. */
export const SEND_ALERTS: Task = {
  description: 'sends the deliveries of alerts that are due',
  everyMs: 5_000,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    for (const alertId of await step(ctx, 'find due deliveries', () => alertsWithDueDeliveries(background))) {
      ctx.sendClient(alertDeliveryApi, alertId).Deliver({}, rpc.sendOpts({ idempotencyKey: alertId }))
    }
  },
}
