import { type ScheduleState, TASK_NAMES } from '../contract/schedule.ts'
import { scheduleApi } from '../contract/services.ts'
import type { Ingress } from './clients.ts'

const ANSWER_MS_MAX = 3_000

/** Asks Restate for every schedule, in the order of TASK_NAMES. @throws when it does not answer in time. */
export function createSchedulesClient(ingress: Ingress, msMax = ANSWER_MS_MAX): () => Promise<ScheduleState[]> {
  const deadlineMs = Math.min(msMax, ingress.deadlineMs)
  return () => Promise.all(TASK_NAMES.map((key) => ingress.read(scheduleApi, 'Info', {}, { key, deadlineMs })))
}
