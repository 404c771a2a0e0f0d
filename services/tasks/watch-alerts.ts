import { watchAlert, watchedAlerts } from '../../src/store/alerts/watch.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const WATCH_ALERTS: Task = {
  description: 'compares lists and searches with the alerts about them',
  everyMs: 60_000,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    for (const alertId of await step(ctx, 'find alerts to watch', () => watchedAlerts(background))) {
      await step(ctx, 'watch an alert', () => watchAlert(background, alertId))
    }
  },
}
