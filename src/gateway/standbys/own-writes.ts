import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import { type Lsn, lsnOf, lsnText } from '../../contract/fields/lsn.ts'
import type { Standbys } from './standbys.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The answer must show what is before this position; undefined where nothing is read from standbys. */
    minLsn: Lsn | undefined
  }
}

export const MIN_LSN_HEADER = 'footfall-min-lsn'
export const LSN_HEADER = 'footfall-lsn'

/**
 * Lets callers read what they have written, although standbys are behind: an answer to a request that wrote says where PostgreSQL's log ended
 * afterwards, and a read that brings this position back is answered by a server that has replayed it.
 */
export function showOwnWrites(app: FastifyInstance, standbys: Pick<Standbys, 'endOfLog'> | undefined): void {
  app.decorateRequest('minLsn', undefined)
  app.addHook('onRequest', async (request) => {
    const text = request.headers[MIN_LSN_HEADER]
    if (text === undefined) return
    const lsn = typeof text === 'string' ? lsnOf(text) : undefined
    if (lsn === undefined) throw new DecidedError('invalid_request', `${MIN_LSN_HEADER} must be a position such as 0/16B3748`)
    // Without standbys every read is on the primary, which shows everything.
    if (standbys !== undefined) request.minLsn = lsn
  })
  if (standbys === undefined) return
  app.addHook('onSend', async (request, reply) => {
    if (!hasWritten(request, reply)) return
    // The write itself has succeeded. Without the header the caller reads what it would without this hook.
    const end = await standbys.endOfLog().catch(() => undefined)
    if (end !== undefined) reply.header(LSN_HEADER, lsnText(end))
  })
}

/** Requests that only read may have a body too. 202 says that the writing is still to come. */
function hasWritten({ method, routeOptions }: FastifyRequest, { statusCode }: FastifyReply): boolean {
  const isChange = method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS' && routeOptions.config.access !== 'read'
  return isChange && statusCode >= 200 && statusCode < 300 && statusCode !== 202
}
