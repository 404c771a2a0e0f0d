import type { FastifyRequest } from 'fastify'
import { charactersOf, partEndsOf } from '../../admission/item-parts.ts'
import { type ItemList, itemsOfRequest } from '../../admission/request-items.ts'
import { writeItems } from '../../admission/write-items.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import type { ItemsWorker } from '../../workers/items-worker.ts'
import type { ItemsInBytes, ItemsJob } from '../../workers/protocol.ts'
import { callerIdOf } from '../access/caller.ts'
import type { RequestEvents } from './flush.ts'

/** A smaller list takes at most 40 ms of this thread, whatever is in it, and usually 2 ms for 1,000 events. */
const LARGE_BYTES_MIN = 256 * 1024

/** Whether the body of a request is a thread's, because it would hold up every other request. */
export function isLarge(request: FastifyRequest): boolean {
  return bytesOf(request).length >= LARGE_BYTES_MIN
}

/** The items that a request lists. @throws DecidedError when it is not such a request. */
export function itemsIn(request: FastifyRequest, list: ItemList): readonly unknown[] {
  return itemsOfRequest(bytesOf(request), list)
}

/** The items of a large body, written by the thread. @throws DecidedError when it is not such a request. */
export function writeLarge(worker: ItemsWorker, request: FastifyRequest, job: Omit<ItemsJob, 'body'>): Promise<ItemsInBytes> {
  const isGone = () => request.raw.socket.destroyed
  return worker.write({ ...job, body: bytesOf(request) }, { caller: callerIdOf(request), isGone })
}

/** The items of a list that is sent as it is. @throws DecidedError when the request is not such a list. */
export async function readItems(
  worker: ItemsWorker,
  request: FastifyRequest,
  list: ItemList,
): Promise<Pick<RequestEvents, 'json' | 'count' | 'partEnds'>> {
  const writing = { privacy: undefined, idsAtMs: undefined }
  if (!isLarge(request)) {
    const { texts } = writeItems(itemsIn(request, list), writing)
    return { json: texts.join(','), count: texts.length, partEnds: partEndsOf(texts, charactersOf) }
  }
  const { json, count, partEnds } = await writeLarge(worker, request, { list, ...writing, leaveOut: undefined })
  return { json: Buffer.from(json.buffer), count, partEnds }
}

/** A body that lists items is not parsed before it is here. */
function bytesOf({ body }: FastifyRequest): Buffer<ArrayBuffer> {
  if (Buffer.isBuffer(body)) return body as Buffer<ArrayBuffer>
  throw new DecidedError('invalid_request', 'the body is empty')
}
