import type { FastifyRequest } from 'fastify'
import { charactersOf, partEndsOf } from '../../admission/item-parts.ts'
import { type ItemList, itemsOfRequest } from '../../admission/request-items.ts'
import { writeItems } from '../../admission/write-items.ts'
import type { RequestEvents } from './flush.ts'
import { forwardedItems } from './forwarded-items.ts'
import type { LargeItems } from './large-items.ts'
import { bytesOf } from './list-bytes.ts'

/** The items that a request lists. @throws DecidedError when it is not such a request. */
export function itemsIn(request: FastifyRequest, list: ItemList): readonly unknown[] {
  return itemsOfRequest(bytesOf(request), list)
}

/** The items of a list that is sent as it is. @throws DecidedError when the request is not such a list. */
export async function readItems(
  large: LargeItems,
  request: FastifyRequest,
  list: ItemList,
): Promise<Pick<RequestEvents, 'json' | 'count' | 'partEnds'>> {
  const writing = { privacy: undefined, idsAtMs: undefined }
  if (!request.isLarge) {
    const items = itemsIn(request, list)
    const forwarded = forwardedItems(request, items, { privacy: undefined, needsIds: false })
    if (forwarded !== undefined) return forwarded
    const { texts, earliest } = writeItems(items, writing)
    return { json: texts.join(','), count: texts.length, partEnds: partEndsOf(texts, charactersOf, earliest) }
  }
  const { json, count, partEnds } = await large.write(request, { list, ...writing, leaveOut: undefined })
  return { json: Buffer.from(json.buffer), count, partEnds }
}
