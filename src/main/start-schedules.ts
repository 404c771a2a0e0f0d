import type { RetentionSettings } from '../../services/handler/deps.ts'
import { TASKS } from '../../services/tasks/all.ts'
import { scheduleApi } from '../contract/services.ts'
import { createIngress } from '../ingress/clients.ts'

/**
 * Starts the schedules of enabled tasks and stops the other schedules. Safe to repeat. Only sends the calls, because a Start
 * waits behind a paused tick until an operator resumes it, and that must not delay everything else.
 */
export async function startSchedules(ingressUrl: string, retention: RetentionSettings): Promise<void> {
  const ingress = createIngress({ url: ingressUrl })
  for (const [key, { everyMs, isOn }] of Object.entries(TASKS)) {
    if (isOn(retention)) await ingress.send(scheduleApi, 'Start', { every_ms: everyMs }, { key })
    else await ingress.send(scheduleApi, 'Stop', {}, { key })
  }
}
