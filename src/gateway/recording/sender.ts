import type { FastifyRequest } from 'fastify'
import { callerIdOf } from '../access/caller.ts'
import type { RequestEvents } from './flush.ts'

/** The sender of a request's events. */
export function senderOf(request: FastifyRequest): Pick<RequestEvents, 'caller' | 'connection'> {
  return { caller: callerIdOf(request), connection: request.raw.socket }
}
