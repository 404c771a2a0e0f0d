import * as clients from '@restatedev/restate-sdk-clients'
import type { RetentionSettings } from '../../services/handler/deps.ts'
import { TASKS } from '../../services/tasks/all.ts'
import { scheduleApi } from '../contract/services.ts'

/**
 * Starts the schedules of enabled tasks and stops the other schedules. Safe to repeat. Only sends the calls, because a Start
 * waits behind a paused tick until an operator resumes it, and that must not delay everything else.
 */
export async function startSchedules(ingressUrl: string, retention: RetentionSettings): Promise<void> {
  const ingress = clients.connect({ url: ingressUrl })
  for (const [name, { everyMs, isOn }] of Object.entries(TASKS)) {
    const schedule = ingress.sendClient(scheduleApi, name)
    await (isOn(retention) ? schedule.Start({ every_ms: everyMs }) : schedule.Stop({}))
  }
}
