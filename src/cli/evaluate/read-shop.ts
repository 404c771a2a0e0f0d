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
  const collector = createSequenceCollector(1, 'newest first')
  const attributes = new Map<string, string[]>()
  let read = 0
  await readLog(
    db,
    { eventsMax, withTimes: true },
    {
      takeEvents: async (page) => {
        const [shoppers, products] = [listOf<string>(page.shoppers), listOf<string>(page.products)]
        const times = listOf<number>(page.times)
        shoppers.forEach((shopper, at) => collector.add(0, shopper, products[at]!, times[at]))
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
