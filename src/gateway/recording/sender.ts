import type { FastifyRequest } from 'fastify'
import { callerIdOf, senderIdOf } from '../access/caller.ts'
import type { RequestEvents } from './flush.ts'

/** The sender of a request's events. */
export function senderOf(request: FastifyRequest): Pick<RequestEvents, 'caller' | 'sender' | 'connection'> {
  return { caller: callerIdOf(request), sender: senderIdOf(request), connection: request.raw.socket }
}
