import { parentPort } from 'node:worker_threads'
import type { Attributes } from '../ranking/similarity/content.ts'
import type { Histories } from '../ranking/similarity/histories.ts'
import { createLogCollector, type LogCollector, type LogInput } from '../ranking/similarity/log-input.ts'
import { type CountedRows, type RowChunk, rowChunkOf } from '../ranking/similarity/row-chunk.ts'
import type { VersionSettings } from '../ranking/similarity/version-settings.ts'
import { yieldToOtherThreads } from './similarity-blocks.ts'
import type { ThreadCall } from './thread-calls.ts'

/** A part of the log: JSON lists with one value for each event, the newest event first. */
export interface EventPage {
  shoppers: string
  products: string
  days: string
  baskets: string
}

/** A part of the catalog: JSON lists with one value for each product. */
export interface ProductPage {
  products: string
  categories: string
  brands: string
}

/** Products with adjacent numbers, and their rows. */
export interface VersionChunk extends RowChunk {
  ids: string[]
  categories: (string | null)[]
  brands: (string | null)[]
}

/** What was collected; the arrays are shared with the thread. */
export interface Collected {
  products: number
  /** Shoppers with events that count. */
  shoppers: number
  histories: Histories
  baskets: Histories
  attributes: Attributes
}

export type LogMethods = typeof METHODS

let collector: LogCollector | undefined
let input: LogInput | undefined
let counted: CountedRows | undefined

/** Lists are parsed here, because 20 million events take 10 s of a processor. */
const listOf = <T>(json: string) => JSON.parse(json) as T[]

const METHODS = {
  begin: (settings: VersionSettings): void => void (collector = createLogCollector(settings)),
  addEvents: ({ shoppers, products, days, baskets }: EventPage): void =>
    collector!.addEvents({
      shoppers: listOf<string>(shoppers),
      products: listOf<string>(products),
      days: listOf<number>(days),
      baskets: listOf<string | null>(baskets),
    }),
  addProducts: ({ products, categories, brands }: ProductPage): void =>
    collector!.addProducts({
      products: listOf<string>(products),
      categories: listOf<string | null>(categories),
      brands: listOf<string | null>(brands),
    }),
  finish: (_args: null): Collected => {
    input = collector!.finish()
    collector = undefined
    const { ids, histories, baskets, attributes } = input
    return { products: ids.length, shoppers: shoppersWithEvents(histories), histories, baskets, attributes }
  },
  /** Takes the rows that other threads counted, whose arrays are shared. */
  counted: (rows: CountedRows): void => void (counted = rows),
  /** Products with adjacent numbers, and their rows. */
  chunk: ({ from, to }: { from: number; to: number }): VersionChunk => ({
    ...rowChunkOf(counted!, from, to),
    ids: input!.ids.slice(from, to),
    categories: input!.categories.slice(from, to),
    brands: input!.brands.slice(from, to),
  }),
}

/** The thread that collects the log for a version of similar products, one call after the other. A fault ends it. */
yieldToOtherThreads()
const port = parentPort!
port.on('message', ({ method, args }: ThreadCall) => {
  port.postMessage(METHODS[method as keyof LogMethods](args as never))
})

function shoppersWithEvents({ start }: Histories): number {
  let shoppers = 0
  for (let shopper = 0; shopper + 1 < start.length; shopper++) if (start[shopper + 1]! > start[shopper]!) shoppers++
  return shoppers
}
