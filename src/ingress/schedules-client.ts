import { type ScheduleState, TASK_NAMES } from '../contract/schedule.ts'
import { scheduleApi } from '../contract/services.ts'
import type { Ingress } from './clients.ts'

const ANSWER_MS_MAX = 3_000
/** Calls that run at a time, because all at once would hold up the other calls of Restate and of the process for a tenth of a second. */
const CALLS_AT_A_TIME = 5

/** Asks Restate for every schedule, in the order of TASK_NAMES. @throws when they are not all answered in time. */
export function createSchedulesClient(ingress: Ingress, msMax = ANSWER_MS_MAX): () => Promise<ScheduleState[]> {
  const answerMsMax = Math.min(msMax, ingress.deadlineMs)
  return async () => {
    const endsMs = performance.now() + answerMsMax
    const states: ScheduleState[] = []
    const tasks = TASK_NAMES.entries()
    const askInTurn = async () => {
      for (const [place, key] of tasks) {
        const deadlineMs = Math.ceil(endsMs - performance.now())
        if (deadlineMs <= 0) throw new DOMException('the schedules were not all answered in time', 'TimeoutError')
        states[place] = await ingress.read(scheduleApi, 'Info', {}, { key, deadlineMs })
      }
    }
    await Promise.all(Array.from({ length: CALLS_AT_A_TIME }, askInTurn))
    return states
  }
}
