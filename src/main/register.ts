import * as clients from '@restatedev/restate-sdk-clients'
import type { Keeping } from '../../services/deps.ts'
import { TASKS } from '../../services/periodic-tasks.ts'
import { scheduleApi } from '../contract/services.ts'
import type { Addresses } from './config.ts'
import { register } from './embedded/restate.ts'

/**
 * Tells Restate where the services are, starts the schedules that are on and stops those that are off. Safe to repeat. Starts
 * are sent and not waited for: one that meets a paused tick is done when that one is resumed, and must not hold up everything.
 */
export async function registerServices(
  { adminUrl, ingressUrl, endpointUrl }: Pick<Addresses, 'adminUrl' | 'ingressUrl' | 'endpointUrl'>,
  keeping: Keeping,
): Promise<void> {
  await register(adminUrl, endpointUrl)
  const ingress = clients.connect({ url: ingressUrl })
  for (const [name, { everyMs, isOn }] of Object.entries(TASKS)) {
    const schedule = ingress.sendClient(scheduleApi, name)
    await (isOn(keeping) ? schedule.Start({ every_ms: everyMs }) : schedule.Stop({}))
  }
}
