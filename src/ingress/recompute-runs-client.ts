import { randomBytes } from 'node:crypto'
import { uuidV7 } from '../contract/fields/event-id.ts'
import type { CancelRun, RecomputeRun, StartRun } from '../contract/recompute-run.ts'
import { recomputeRunApi } from '../contract/services.ts'
import type { Ingress } from './clients.ts'

/** Recomputations of reports: durable calls. A decision of the handler is thrown as an HttpCallError, see `refusalOf`. */
export interface Runs {
  start: (request: StartRun) => Promise<RecomputeRun>
  cancel: (id: string, request: CancelRun) => Promise<RecomputeRun>
  status: (id: string) => Promise<RecomputeRun>
}

export function createRecomputeRunsClient(ingress: Ingress): Runs {
  return {
    start: (request) => ingress.call(recomputeRunApi, 'Start', request, { key: uuidV7(Date.now(), randomBytes(10)) }),
    cancel: (id, request) => ingress.call(recomputeRunApi, 'Cancel', request, { key: id }),
    status: (id) => ingress.read(recomputeRunApi, 'Status', {}, { key: id }),
  }
}
