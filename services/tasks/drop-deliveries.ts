import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropDeliveries } from '../../src/store/alerts/delivery.ts'
import { dropSubjects } from '../../src/store/alerts/watch.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const DROP_DELIVERIES: Task = {
  description: 'deletes deliveries of alerts whose end is older than `DELIVERY_DAYS`',
  everyMs: HOUR_MS,
  isOn: () => true,
  run: async ({ background, retention: { deliveryDays } }, ctx) => {
    while (await step(ctx, 'delete old deliveries', () => dropDeliveries(background, deliveryDays)));
    while (await step(ctx, 'delete old subjects', () => dropSubjects(background)));
  },
}
