import type { FastifyRequest } from 'fastify'
import { foreignPageProblem } from '../../admission/loopback.ts'
import { DecidedError } from '../../contract/decided-error.ts'

/** Without keys everything is allowed, but only from this machine, and not for a web page elsewhere. */
export function refuseForeignPages({ raw }: FastifyRequest): void {
  const problem = foreignPageProblem(raw, 'followed')
  if (problem !== undefined) throw new DecidedError('forbidden', problem)
}
