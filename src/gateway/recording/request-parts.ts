import type { RequestEvents } from './flush.ts'

/** The parts of a request, each a request with events of the same sender. */
export function partsOfRequest({ partEnds = [], ...request }: RequestEvents): RequestEvents[] {
  if (partEnds.length <= 1) return [request]
  const { json, keptShort } = request
  const begins = [{ count: 0, length: 0 }, ...partEnds]
  return partEnds.map((end, place) => {
    const begin = begins[place]!
    // A comma is between two parts.
    const from = place === 0 ? 0 : begin.length + 1
    return {
      ...request,
      json: typeof json === 'string' ? json.slice(from, end.length) : json.subarray(from, end.length),
      count: end.count - begin.count,
      keptShort: keptShort?.filter((index) => index >= begin.count && index < end.count).map((index) => index - begin.count),
    }
  })
}
