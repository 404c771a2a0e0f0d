import * as clients from '@restatedev/restate-sdk-clients'
import { scheduleApi } from '../contract/services.ts'
import { TASKS } from '../../services/schedule.ts'
import type { Addresses } from './config.ts'
import { register } from './embedded/restate.ts'

/** Tells Restate where the services are and starts their schedules. Safe to repeat. */
export async function registerServices({ adminUrl, ingressUrl, endpointUrl }: Addresses): Promise<void> {
  await register(adminUrl, endpointUrl)
  const ingress = clients.connect({ url: ingressUrl })
  for (const [name, { everyMs }] of Object.entries(TASKS)) {
    await ingress.client(scheduleApi, name).Start({ every_ms: everyMs })
  }
}
