import { DecidedError, invalidField } from '../../contract/decided-error.ts'
import type { FastifyRequest } from 'fastify'

/** The seller that a request is about: the one that it names, or the one that its key or token is bound to. @throws Problem for another's. */
export function sellerOf({ apiKey }: FastifyRequest, named: string | undefined): string {
  const own = apiKey?.sellerId ?? undefined
  if (own !== undefined && named !== undefined && named !== own) {
    throw new DecidedError('forbidden', 'the key or token is bound to another seller')
  }
  const seller = named ?? own
  if (seller === undefined) throw invalidField('seller_id', 'is needed')
  return seller
}
