import { contentOf } from '../../../src/ranking/similarity/content.ts'
import { createLogCollector, type LogInput } from '../../../src/ranking/similarity/log-input.ts'
import { similarityOf } from '../../../src/ranking/similarity/matrix.ts'
import { type CountedRows, rowChunkOf } from '../../../src/ranking/similarity/row-chunk.ts'
import { basketSettings, type VersionSettings } from '../../../src/ranking/similarity/version-settings.ts'
import type { VersionJob } from '../../../src/store/similarity/make-version.ts'

/**
 * Computes a version without threads, for properties that make dozens of versions: the four threads of a version take ten times as long to start as
 * a small log takes to be counted. That threads count the same is tested in test/workers.
 */
export function similarityInProcess(settings: VersionSettings): VersionJob {
  const collector = createLogCollector(settings)
  let input: LogInput
  let counted: CountedRows
  return {
    takeEvents: async ({ shoppers, products, days, baskets }) =>
      collector.addEvents({
        shoppers: listOf<string>(shoppers),
        products: listOf<string>(products),
        days: listOf<number>(days),
        baskets: listOf<string | null>(baskets),
      }),
    takeProducts: async ({ products, categories, brands }) =>
      collector.addProducts({
        products: listOf<string>(products),
        categories: listOf<string | null>(categories),
        brands: listOf<string | null>(brands),
      }),
    count: async () => {
      input = collector.finish()
      const { start, bots } = input.histories
      const matrix = similarityOf(input.histories, settings)
      counted = {
        matrix,
        content: contentOf(input.attributes),
        bought: similarityOf(input.baskets, basketSettings(settings)),
      }
      return {
        products: matrix.products,
        shoppers: Array.from(start).filter((at, shopper) => shopper > 0 && at > start[shopper - 1]!).length,
        bots,
        pairs: matrix.length.reduce((sum, length) => sum + length, 0),
        medianBest: matrix.medianBest,
      }
    },
    chunk: async (from, to) => ({
      ...rowChunkOf(counted, from, to),
      ids: input.ids.slice(from, to),
      categories: input.categories.slice(from, to),
      brands: input.brands.slice(from, to),
    }),
    stop: async () => undefined,
  }
}

const listOf = <T>(json: string) => JSON.parse(json) as T[]
