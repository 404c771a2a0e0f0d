import { DAY_MS } from '../../contract/fields/time.ts'
import { compareBytes } from '../byte-order.ts'
import { createInt32List } from '../similarity/int32-list.ts'

/** What shoppers met, in the order of time. Shoppers and products are numbers. */
export interface Sequences {
  shoppers: number
  products: number
  /** Where the events of each shopper begin, and the end. */
  start: Int32Array
  /** The product of each event, the oldest event of a shopper first. */
  product: Int32Array
  /** When each event was, in any unit; undefined when only the order is known. */
  time: Float64Array | undefined
}

/** Sequences of several files, with the same numbers. */
export interface NamedSequences {
  parts: readonly Sequences[]
  /** In the order of their bytes, as the numbers of a stored matrix are. */
  products: readonly string[]
}

export interface SequenceCollector {
  /** Adds an event to a part. Events of equal time stay in the order in which they come, or its reverse; all of a part have a time, or none. */
  add: (part: number, shopper: string, product: string, time?: number) => void
  finish: () => NamedSequences
}

/** @param order in which events of equal time come. */
export function createSequenceCollector(
  parts: number,
  order: 'oldest first' | 'newest first' = 'oldest first',
): SequenceCollector {
  const shoppers = createNames()
  const products = createNames()
  const events = Array.from({ length: parts }, createEvents)
  return {
    add: (part, shopper, product, time) => {
      const { shopper: shopperOf, product: productOf, times } = events[part]!
      shopperOf.push(shoppers.numberOf(shopper))
      productOf.push(products.numberOf(product))
      if (time !== undefined) times.push(time)
    },
    finish: () => {
      const { names, numberOf } = inByteOrder(products.names)
      return {
        parts: events.map((part) => sequencesOf(part, shoppers.names.length, numberOf, order === 'newest first')),
        products: names,
      }
    },
  }
}

interface Names {
  names: string[]
  numberOf: (name: string) => number
}

function createNames(): Names {
  const numbers = new Map<string, number>()
  const names: string[] = []
  return {
    names,
    numberOf: (name) => {
      const known = numbers.get(name)
      if (known !== undefined) return known
      numbers.set(name, names.length)
      return names.push(name) - 1
    },
  }
}

/** Names in the order of their UTF-8 bytes, and the new number of each. */
function inByteOrder(names: readonly string[]): { names: string[]; numberOf: Int32Array } {
  const sorted = names.map((name, before) => ({ name, before })).sort((a, b) => compareBytes(a.name, b.name))
  const numberOf = new Int32Array(names.length)
  sorted.forEach(({ before }, number) => (numberOf[before] = number))
  return { names: sorted.map(({ name }) => name), numberOf }
}

function createEvents() {
  return { shopper: createInt32List(), product: createInt32List(), times: [] as number[] }
}

function sequencesOf(
  { shopper, product, times }: ReturnType<typeof createEvents>,
  shoppers: number,
  numberOf: Int32Array,
  isNewestFirst: boolean,
): Sequences {
  const events = shopper.length()
  const order = new Int32Array(events).map((_, event) => event)
  if (times.length > 0) order.sort((a, b) => times[a]! - times[b]! || (isNewestFirst ? b - a : a - b))
  const start = new Int32Array(shoppers + 1)
  for (let event = 0; event < events; event++) start[shopper.at(event) + 1]! += 1
  for (let number = 0; number < shoppers; number++) start[number + 1]! += start[number]!
  const next = start.slice()
  const products = new Int32Array(events)
  const time = times.length > 0 ? new Float64Array(events) : undefined
  for (const event of order) {
    const at = next[shopper.at(event)]!++
    products[at] = numberOf[product.at(event)]!
    if (time !== undefined) time[at] = times[event]!
  }
  return { shoppers, products: numberOf.length, start, product: products, time }
}

/** Only the events that are kept. */
export function filtered(sequences: Sequences, isKept: (event: number, shopper: number) => boolean): Sequences {
  const { shoppers, products, start, product, time } = sequences
  const kept: number[] = []
  const starts = new Int32Array(shoppers + 1)
  for (let shopper = 0; shopper < shoppers; shopper++) {
    for (let event = start[shopper]!; event < start[shopper + 1]!; event++) if (isKept(event, shopper)) kept.push(event)
    starts[shopper + 1] = kept.length
  }
  return {
    shoppers,
    products,
    start: starts,
    product: Int32Array.from(kept, (event) => product[event]!),
    time: time && Float64Array.from(kept, (event) => time[event]!),
  }
}

/** Repeats in a row as one event, the newest; otherwise the last event could be recommended from itself. */
export function withoutRepeats(sequences: Sequences): Sequences {
  const { start, product } = sequences
  return filtered(sequences, (event, shopper) => event + 1 === start[shopper + 1] || product[event + 1] !== product[event])
}

/** Without shoppers that have more events on one UTC day. Times are in milliseconds. */
export function withoutBots(sequences: Sequences, eventsPerDay: number): Sequences {
  const { start, time } = sequences
  const bots = new Set<number>()
  for (let shopper = 0; shopper < sequences.shoppers; shopper++) {
    for (let event = start[shopper]! + eventsPerDay; event < start[shopper + 1]!; event++) {
      if (dayOf(time![event]!) === dayOf(time![event - eventsPerDay]!)) bots.add(shopper)
    }
  }
  return filtered(sequences, (_, shopper) => !bots.has(shopper))
}

const dayOf = (time: number): number => Math.floor(time / DAY_MS)
