import * as clients from '@restatedev/restate-sdk-clients'
import { type ScheduleState, TASK_NAMES } from '../contract/schedule.ts'
import { scheduleApi } from '../contract/services.ts'

const ANSWER_MS_MAX = 3_000

/** Asks Restate for every schedule, in the order of their names here. @throws when it does not answer in time. */
export function createSchedulesClient(ingressUrl: string, deadlineMs = ANSWER_MS_MAX): () => Promise<ScheduleState[]> {
  const ingress = clients.connect({ url: ingressUrl })
  return async () => {
    const signal = AbortSignal.timeout(deadlineMs)
    return Promise.all(TASK_NAMES.map((name) => ingress.client(scheduleApi, name).Info({}, clients.rpc.opts({ signal }))))
  }
}
