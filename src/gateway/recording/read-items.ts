import type { FastifyRequest } from 'fastify'
import { charactersOf, partEndsOf } from '../../admission/item-parts.ts'
import { type ItemList, itemsOfRequest } from '../../admission/request-items.ts'
import { writeItems } from '../../admission/write-items.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import type { ItemsWorker } from '../../workers/items-worker.ts'
import type { ItemsInBytes, ItemsJob } from '../../workers/protocol.ts'
import { callerIdOf } from '../access/caller.ts'
import type { RequestEvents } from './flush.ts'

/** The items that a request lists. @throws DecidedError when it is not such a request. */
export function itemsIn(request: FastifyRequest, list: ItemList): readonly unknown[] {
  return itemsOfRequest(bytesOf(request), list)
}

/** The items of a large body, written by the thread. @throws DecidedError when it is not such a request. */
export function writeLarge(worker: ItemsWorker, request: FastifyRequest, job: Omit<ItemsJob, 'body'>): Promise<ItemsInBytes> {
  const isGone = () => request.raw.socket.destroyed
  return worker.write({ ...job, body: ownBytesOf(request) }, { caller: callerIdOf(request), isGone })
}

/** The items of a list that is sent as it is. @throws DecidedError when the request is not such a list. */
export async function readItems(
  worker: ItemsWorker,
  request: FastifyRequest,
  list: ItemList,
): Promise<Pick<RequestEvents, 'json' | 'count' | 'partEnds'>> {
  const writing = { privacy: undefined, idsAtMs: undefined }
  if (!request.isLarge) {
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

/** A buffer that is handed over to the thread must have nothing else in it, such as the next request of the connection. */
function ownBytesOf(request: FastifyRequest): Uint8Array<ArrayBuffer> {
  const bytes = bytesOf(request)
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
