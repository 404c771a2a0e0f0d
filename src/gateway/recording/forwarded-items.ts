import type { FastifyRequest } from 'fastify'
import { hasFields, isIdentified, storableItem } from '../../admission/event-identity.ts'
import { earliestMsOf, type PartEnd } from '../../admission/item-parts.ts'
import type { Privacy } from '../../admission/privacy.ts'
import { keyOf } from '../http/idempotency-key.ts'
import { bytesOf } from './list-bytes.ts'

/** A shorter list is written anew, because a text is joined with those of other requests faster than its bytes. */
const FORWARDED_BYTES_MIN = 4 * 1024
const [LEFT_BRACKET, RIGHT_BRACKET] = [0x5b, 0x5d]

export interface Forwarding {
  privacy: Privacy | undefined
  /** Whether the items are events: an event without an id is given one. */
  needsIds: boolean
}

/** The items of a request as they were sent. */
export interface ForwardedItems {
  json: Buffer
  count: number
  partEnds: readonly PartEnd[]
}

/**
 * The bytes of a list whose items all stay as they are, because to write them again takes a fifth of the gateway's time. Undefined when one
 * changes, and for a request with a key, because the body of its call must be the same when it comes again in another form.
 */
export function forwardedItems(
  request: FastifyRequest,
  items: readonly unknown[],
  { privacy, needsIds }: Forwarding,
): ForwardedItems | undefined {
  const body = bytesOf(request)
  if (request.isLarge || !request.isListAlone || body.length < FORWARDED_BYTES_MIN || keyOf(request) !== undefined)
    return undefined
  const stays = (item: unknown) => storableItem(item, privacy) === item && (!needsIds || (hasFields(item) && isIdentified(item)))
  if (!items.every(stays)) return undefined
  const json = body.subarray(body.indexOf(LEFT_BRACKET) + 1, body.lastIndexOf(RIGHT_BRACKET))
  const fromMs = items.reduce<number>((earliest, item) => Math.min(earliest, earliestMsOf(item)), Infinity)
  return { json, count: items.length, partEnds: [{ count: items.length, length: json.length, fromMs }] }
}
