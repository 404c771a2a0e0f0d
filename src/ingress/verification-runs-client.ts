import { randomBytes } from 'node:crypto'
import { uuidV7 } from '../contract/fields/event-id.ts'
import { verificationRunApi } from '../contract/services.ts'
import type { CancelVerification, StartVerification, VerificationRun } from '../contract/verification-run.ts'
import type { Ingress } from './clients.ts'

/** Runs that verify every number: durable calls. A decision of the handler is thrown as an HttpCallError, see `refusalOf`. */
export interface VerificationRuns {
  start: (request: StartVerification) => Promise<VerificationRun>
  cancel: (id: string, request: CancelVerification) => Promise<VerificationRun>
}

export function createVerificationRunsClient(ingress: Ingress): VerificationRuns {
  return {
    start: (request) => ingress.call(verificationRunApi, 'Start', request, { key: uuidV7(Date.now(), randomBytes(10)) }),
    cancel: (id, request) => ingress.call(verificationRunApi, 'Cancel', request, { key: id }),
  }
}
