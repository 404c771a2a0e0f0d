import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropDeliveries, dropUndeliverable } from '../../src/store/alerts/delivery.ts'
import { dropSubjects } from '../../src/store/alerts/watch.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const DROP_DELIVERIES: Task = {
  description: 'drops pending deliveries of deleted alerts, and deletes deliveries whose end is older than `DELIVERY_DAYS`',
  everyMs: HOUR_MS,
  isOn: () => true,
  run: async ({ background, retention: { deliveryDays } }, ctx) => {
    await step(ctx, 'drop what cannot be delivered', () => dropUndeliverable(background))
    while (await step(ctx, 'delete old deliveries', () => dropDeliveries(background, deliveryDays)));
    while (await step(ctx, 'delete old subjects', () => dropSubjects(background)));
  },
}
