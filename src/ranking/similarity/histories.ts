import { createInt32List, createInt32Map } from './int32-list.ts'
import type { SimilaritySettings } from './settings.ts'
import { sharedInt32, sharedUint16 } from './shared-arrays.ts'

/** What shoppers met in which order. All arrays are shared between threads, and nothing changes them. */
export interface Histories {
  shoppers: number
  products: number
  events: number
  /** Where the events of each shopper begin, and the end. */
  start: Int32Array
  /** The product of each event, the oldest event of a shopper first. */
  product: Int32Array
  /** How many events of the same shopper come before each event within the window, and after it. */
  before: Uint16Array
  after: Uint16Array
  /** Where the counting events of each product begin in `sources`, and the end. */
  sourceStart: Int32Array
  /** The counting events of products, i.e. their newest ones, as indexes of `product`, in ascending order for each product. */
  sources: Int32Array
  /** Shoppers that were left out. */
  bots: number
}

/** The events of each shopper come in this order; for the bound of events of a product, so should those of all shoppers. */
export type Order = 'newest first' | 'oldest first'

export interface HistoryBuilder {
  /** @param day  a UTC day as a whole number, for the bound of events of a day; days of a shopper do not go back and forth */
  add: (shopper: number, product: number, day?: number) => void
  /**
   * @param products  how many products there are
   * @param numberOf  the final number of each product that was added; that of `add` if it is absent
   */
  finish: (products: number, numberOf?: Int32Array) => Histories
}

type Bounds = Pick<SimilaritySettings, 'shopperEventsMax' | 'productEventsMax' | 'botEventsPerDay' | 'window' | 'repeats'>

const NONE = -1

/** Takes events one by one, and keeps 8 bytes of each event that may count, and 16 of each shopper. */
export function createHistoryBuilder(order: Order, bounds: Bounds): HistoryBuilder {
  const shopperOf = createInt32List()
  const productOf = createInt32List()
  const kept = createInt32Map(0)
  const last = createInt32Map(NONE)
  const bots = createBots(bounds.botEventsPerDay)
  let shoppers = 0

  const add = (shopper: number, product: number, day?: number) => {
    shoppers = Math.max(shoppers, shopper + 1)
    if (day !== undefined) bots.count(shopper, day)
    const previous = last.get(shopper)
    const isRepeat = !bounds.repeats && previous !== NONE && productOf.at(previous) === product
    // Of repeats in a row the newest one counts.
    if (isRepeat && order === 'oldest first') productOf.set(previous, NONE)
    else if (isRepeat) return
    else {
      const count = kept.get(shopper) + 1
      if (order === 'newest first' && count > bounds.shopperEventsMax) return
      kept.set(shopper, count)
    }
    last.set(shopper, productOf.length())
    shopperOf.push(shopper)
    productOf.push(product)
  }

  const finish = (products: number, numberOf?: Int32Array): Histories => {
    const start = startsOf(shoppers, (shopper) => (bots.has(shopper) ? 0 : Math.min(kept.get(shopper), bounds.shopperEventsMax)))
    const events = start[shoppers]!
    const product = sharedInt32(events)
    const isSource = new Uint8Array(events)
    const used = new Int32Array(products)
    const filled = new Int32Array(shoppers)
    const place = (index: number) => {
      const shopper = shopperOf.at(index)
      const provisional = productOf.at(index)
      const at = start[shopper + 1]! - 1 - filled[shopper]!
      if (provisional === NONE || at < start[shopper]!) return
      filled[shopper]! += 1
      const number = numberOf?.[provisional] ?? provisional
      product[at] = number
      if (used[number]! >= bounds.productEventsMax) return
      used[number]! += 1
      isSource[at] = 1
    }
    if (order === 'newest first') for (let index = 0; index < shopperOf.length(); index++) place(index)
    else for (let index = shopperOf.length() - 1; index >= 0; index--) place(index)
    shopperOf.cut(0)
    productOf.cut(0)
    const sources = sourcesOf(product, isSource, used)
    const reach = reachOf(start, Math.min(bounds.window, bounds.shopperEventsMax))
    return { shoppers, products, events, start, product, ...reach, ...sources, bots: bots.size() }
  }
  return { add, finish }
}

interface Bots {
  count: (shopper: number, day: number) => void
  has: (shopper: number) => boolean
  size: () => number
}

function createBots(eventsPerDay: number): Bots {
  const days = createInt32Map(NONE)
  const counts = createInt32Map(0)
  const bots = new Set<number>()
  return {
    count: (shopper, day) => {
      const count = days.get(shopper) === day ? counts.get(shopper) + 1 : 1
      days.set(shopper, day)
      counts.set(shopper, count)
      if (count > eventsPerDay) bots.add(shopper)
    },
    has: (shopper) => bots.has(shopper),
    size: () => bots.size,
  }
}

/** Where each part begins when the parts follow each other, and the end. */
export function startsOf(parts: number, lengthOf: (part: number) => number): Int32Array {
  const starts = sharedInt32(parts + 1)
  for (let part = 0; part < parts; part++) starts[part + 1] = starts[part]! + lengthOf(part)
  return starts
}

function sourcesOf(product: Int32Array, isSource: Uint8Array, used: Int32Array): Pick<Histories, 'sourceStart' | 'sources'> {
  const sourceStart = startsOf(used.length, (number) => used[number]!)
  const sources = sharedInt32(sourceStart[used.length]!)
  const next = sourceStart.slice()
  for (let event = 0; event < product.length; event++) {
    if (isSource[event] === 1) sources[next[product[event]!]!++] = event
  }
  return { sourceStart, sources }
}

function reachOf(start: Int32Array, window: number): Pick<Histories, 'before' | 'after'> {
  const events = start.at(-1)!
  const before = sharedUint16(events)
  const after = sharedUint16(events)
  for (let shopper = 0; shopper + 1 < start.length; shopper++) {
    const [from, to] = [start[shopper]!, start[shopper + 1]!]
    for (let event = from; event < to; event++) {
      before[event] = Math.min(window, event - from)
      after[event] = Math.min(window, to - 1 - event)
    }
  }
  return { before, after }
}
