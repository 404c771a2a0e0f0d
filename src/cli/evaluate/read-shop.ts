import { DAY_MS } from '../../contract/fields/time.ts'
import { createSequenceCollector, type NamedSequences, withoutBots } from '../../ranking/evaluation/sequences.ts'
import { attributesOfProduct } from '../../ranking/similarity/product-attributes.ts'
import type { Database } from '../../store/database/connection.ts'
import { readLog } from '../../store/similarity/read-log.ts'
import type { AttributesById } from './read-attributes.ts'

export interface ShopData extends NamedSequences {
  /** Categories and brands, as those of the versions of similar products. */
  attributes: AttributesById
}

const listOf = <T>(json: string) => JSON.parse(json) as T[]

export interface ReadShopOptions {
  /** The newest events that are read. */
  eventsMax: number
  botEventsPerDay: number
  /** How many events were read so far. */
  onRead: (events: number) => void
}

/** Reads the events of the log that similar products are made of, and the catalog. */
export async function readShop(db: Database, { eventsMax, botEventsPerDay, onRead }: ReadShopOptions): Promise<ShopData> {
  const collector = createSequenceCollector(1)
  const attributes = new Map<string, string[]>()
  const timeOf = createTimes()
  let read = 0
  await readLog(
    db,
    { eventsMax },
    {
      takeEvents: async (page) => {
        const [shoppers, products, days] = [
          listOf<string>(page.shoppers),
          listOf<string>(page.products),
          listOf<number>(page.days),
        ]
        shoppers.forEach((shopper, at) => collector.add(0, shopper, products[at]!, timeOf(days[at]!)))
        onRead((read += shoppers.length))
      },
      takeProducts: async ({ products, categories, brands }) => {
        const [category, brand] = [listOf<string | null>(categories), listOf<string | null>(brands)]
        listOf<string>(products).forEach((product, at) => attributes.set(product, attributesOfProduct(category[at]!, brand[at]!)))
      },
    },
  )
  const { parts, products } = collector.finish()
  return { parts: [withoutBots(parts[0]!, botEventsPerDay)], products, attributes }
}

/** Milliseconds of events that come newest first, with their days alone: the newest of a day gets its last millisecond, and so on. */
function createTimes(): (day: number) => number {
  let current: number | undefined
  let before = 0
  return (day) => {
    before = day === current ? Math.min(before + 1, DAY_MS) : 1
    current = day
    return (day + 1) * DAY_MS - before
  }
}
