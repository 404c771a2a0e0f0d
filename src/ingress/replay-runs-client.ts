import { randomBytes } from 'node:crypto'
import { uuidV7 } from '../contract/fields/event-id.ts'
import type { CancelReplayRun, ReplayRun, StartReplayRun } from '../contract/replay-run.ts'
import { replayRunApi } from '../contract/services.ts'
import type { Ingress } from './clients.ts'

/** Replays of rejected events by their code: durable calls. A decision of the handler is thrown as an HttpCallError, see `refusalOf`. */
export interface ReplayRuns {
  start: (request: StartReplayRun) => Promise<ReplayRun>
  cancel: (id: string, request: CancelReplayRun) => Promise<ReplayRun>
  status: (id: string) => Promise<ReplayRun>
}

export function createReplayRunsClient(ingress: Ingress): ReplayRuns {
  return {
    start: (request) => ingress.call(replayRunApi, 'Start', request, { key: uuidV7(Date.now(), randomBytes(10)) }),
    cancel: (id, request) => ingress.call(replayRunApi, 'Cancel', request, { key: id }),
    status: (id) => ingress.read(replayRunApi, 'Status', {}, { key: id }),
  }
}
