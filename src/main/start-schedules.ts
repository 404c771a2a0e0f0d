import * as clients from '@restatedev/restate-sdk-clients'
import type { RetentionSettings } from '../../services/handler/deps.ts'
import { TASKS } from '../../services/tasks/tasks.ts'
import { scheduleApi } from '../contract/services.ts'

/**
 * Starts the schedules that are on and stops those that are off. Safe to repeat. Starts are sent and not waited for: one that meets
 * a paused tick is done when that one is resumed, and must not hold up everything.
 */
export async function startSchedules(ingressUrl: string, keeping: RetentionSettings): Promise<void> {
  const ingress = clients.connect({ url: ingressUrl })
  for (const [name, { everyMs, isOn }] of Object.entries(TASKS)) {
    const schedule = ingress.sendClient(scheduleApi, name)
    await (isOn(keeping) ? schedule.Start({ every_ms: everyMs }) : schedule.Stop({}))
  }
}
