import type { FailPoint } from '../harness/servers/fail-points.ts'

/** PostgreSQL has answered a statement, and the endpoint has not used the answer. */
export const STATEMENT_ANSWERED: FailPoint = 'statement answered'
/** After each statement and each step, and at the beginning and the end of each attempt of a handler. */
export const ANYWHERE: FailPoint = 'anywhere'

/** The endpoint dies at the n-th occurrence of the point. */
export interface Death {
  point: FailPoint
  occurrence: number
}

/** `aheadMs` is how far the clock of the handlers is ahead of the machine's. */
export type EndpointOrder = 'serve' | { death: Death | null } | { aheadMs: number }
export type EndpointMessage = 'loaded' | 'ready' | 'armed' | 'clock set'
