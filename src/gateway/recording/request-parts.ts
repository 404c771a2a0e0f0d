import { DAY_MS } from '../../contract/fields/time.ts'
import type { RequestEvents } from './flush.ts'

/** Flushes with only later events are about a few months, and a batch of more than a year waits its turn at the endpoint. */
const OLD_MS = 180 * DAY_MS

/** The parts of a request, each a request with events of the same sender. */
export function partsOfRequest(request: RequestEvents): RequestEvents[] {
  const { partEnds = [], json, keptShort } = request
  if (partEnds.length <= 1) return [wholeRequest(request)]
  const begins = [{ count: 0, length: 0 }, ...partEnds]
  return partEnds.map((end, place) => {
    const begin = begins[place]!
    // A comma is between two parts.
    const from = place === 0 ? 0 : begin.length + 1
    return wholeRequest({
      ...request,
      whole: { count: request.count, bytes: json.length },
      json: typeof json === 'string' ? json.slice(from, end.length) : json.subarray(from, end.length),
      count: end.count - begin.count,
      partEnds: [end],
      keptShort: keptShort?.filter((index) => index >= begin.count && index < end.count).map((index) => index - begin.count),
    })
  })
}

/** A request that is recorded in one part. */
export function wholeRequest({ partEnds = [], ...request }: RequestEvents): RequestEvents {
  const sinceMs = Date.now() - OLD_MS
  return { ...request, isOld: partEnds.some(({ fromMs }) => fromMs < sinceMs) }
}
