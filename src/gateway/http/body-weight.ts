import type { FastifyRequest } from 'fastify'
import { countItems } from '../../admission/count-items.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import { PUBLISHABLE_ITEMS_MAX } from '../../contract/interaction.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether its body lists so much that parsing it would hold up every other request. */
    isLarge: boolean
    /** Whether the list is the only field of its body. */
    isListAlone: boolean
  }
}

/**
 * A shorter list with no more items takes 20 ms of this thread at most, whatever is in it, and usually 4 ms for 1,000 events. A
 * publishable key cannot send a longer one.
 */
const PARSED_BYTES_MAX = 256 * 1024
const PARSED_ITEMS_MAX = PUBLISHABLE_ITEMS_MAX

/** So much of a body, or so many of its items, cost 1, as a request does: each value of a body takes time, and each item takes more. */
const BODY_BYTES = 4 * 1024
const BODY_ITEMS = 25

/** Notes whether a body is large. @returns what reading it costs this thread. */
export function weigh(request: FastifyRequest, body: Buffer): number {
  if (request.routeOptions.config.list === undefined) return costOfBody({ bytes: body.length, items: 1 })
  const { items, isAlone } = countItems(body.subarray(0, PARSED_BYTES_MAX), PARSED_ITEMS_MAX + 1)
  request.isListAlone = isAlone
  request.isLarge = body.length > PARSED_BYTES_MAX || items > PARSED_ITEMS_MAX
  return costOfBody({ bytes: Math.min(body.length, PARSED_BYTES_MAX), items })
}

/** @throws DecidedError for more items than a publishable key may send. */
export function refuseMany({ apiKey, isLarge }: FastifyRequest): void {
  if (apiKey?.isPublishable && isLarge) {
    throw new DecidedError('too_large', `the body has more than ${PUBLISHABLE_ITEMS_MAX} items, the most with a publishable key`)
  }
}

function costOfBody({ bytes, items }: { bytes: number; items: number }): number {
  return bytes / BODY_BYTES + items / BODY_ITEMS
}
