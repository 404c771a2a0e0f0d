import type { Product } from './catalog.ts'
import { eventOf, type IdentifiedEvent } from './event.ts'
import { randomOf } from './random.ts'
import type { Shop } from './shop.ts'
import { type Step, type Visit, visitOf } from './visit.ts'

/** Makes the next event of the stream at a time; `draw` is the share of visitors that come for the sleeper. */
export type LiveStream = (draw: number, occurredAtMs: number, idBytes: Uint8Array) => IdentifiedEvent

/** Steps after this time belong to another day. In the live stream those days are minutes. */
const LATER_MS_MIN = 12 * 3_600_000
/** A buyer comes back only while more than this wait, so that the stream starts without returns. */
const BUYERS_WAITING = 12
const COMES_BACK = 0.2

/** A crowd of `size` visitors. Chance picks the visitor of each event, and each visitor follows the steps of a visit. */
export function createLiveStream(shop: Shop, sleeper: Product, size: number): LiveStream {
  const random = randomOf(shop.seed, 'live')
  const crowd: Visit[] = []
  const buyers: Visit[] = []
  const visitor = (draw: number): Visit => {
    if (buyers.length > BUYERS_WAITING && random.chance(COMES_BACK)) return buyers.shift()!
    return visitOf(shop, random, random.chance(draw) ? sleeper : undefined)
  }
  return (draw, occurredAtMs, idBytes) => {
    while (crowd.length < size) crowd.push(visitor(draw))
    const place = random.below(size)
    const visit = crowd[place]!
    const step = visit.steps.shift()!
    const [next] = visit.steps
    const comesLater = next !== undefined && isLater(next) && !isLater(step)
    if (comesLater) buyers.push(visit)
    if (comesLater || next === undefined) crowd.splice(place, 1)
    return eventOf(visit.shopper, step, occurredAtMs, idBytes)
  }
}

function isLater({ afterMs }: Step): boolean {
  return afterMs >= LATER_MS_MIN
}
