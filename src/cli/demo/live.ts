import type { Product } from './catalog.ts'
import { type Item, itemsOf } from './item.ts'
import { randomOf } from './random.ts'
import type { Shop } from './shop.ts'
import { LATER_MS_MIN, type Step, type Visit, visitOf } from './visit.ts'

export interface Moment {
  occurredAtMs: number
  /** The share of visitors that come for the sleeper. */
  draw: number
  /** How many visitors there are: each acts in turn. */
  crowd: number
  /** The bytes of an id. */
  idBytesOf: (number: number) => Uint8Array
}

/** Makes what happens next in the stream. */
export type LiveStream = (moment: Moment) => Item[]

/** A buyer comes back only while more than this wait, so that the stream starts without returns. In the live stream half a day is minutes. */
const BUYERS_WAITING = 12
const COMES_BACK = 0.2

/** A crowd of visitors. Chance picks the visitor of each step, and each visitor follows the steps of a visit. */
export function createLiveStream(shop: Shop, sleeper: Product, hasCallbacks: boolean): LiveStream {
  const random = randomOf(shop.seed, 'live')
  const crowd: Visit[] = []
  const buyers: Visit[] = []
  const visitor = (draw: number): Visit => {
    if (buyers.length > BUYERS_WAITING && random.chance(COMES_BACK)) return buyers.shift()!
    return visitOf(shop, random, random.chance(draw) ? sleeper : undefined)
  }
  return ({ occurredAtMs, draw, crowd: size, idBytesOf }) => {
    while (crowd.length < size) crowd.push(visitor(draw))
    const place = random.below(crowd.length)
    const visit = crowd[place]!
    const step = visit.steps.shift()!
    const [next] = visit.steps
    const comesLater = next !== undefined && isLater(next) && !isLater(step)
    if (comesLater) buyers.push(visit)
    if (comesLater || next === undefined) crowd.splice(place, 1)
    return itemsOf(step, { shopper: visit.shopper, occurredAtMs, idBytesOf, hasCallbacks })
  }
}

function isLater({ afterMs }: Step): boolean {
  return afterMs >= LATER_MS_MIN
}
