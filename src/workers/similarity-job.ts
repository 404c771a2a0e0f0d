import type { Content } from '../ranking/similarity/content.ts'
import type { Matrix } from '../ranking/similarity/matrix.ts'
import { basketSettings, type VersionSettings } from '../ranking/similarity/version-settings.ts'
import type { EventPage, LogMethods, ProductPage } from './similarity-log.ts'
import { countContent, countSimilarity } from './similarity-pool.ts'
import { startThread } from './thread-calls.ts'

/** All rows of a version. */
export interface CountedRows {
  matrix: Matrix
  content: Content
  bought: Matrix
  shoppers: number
  bots: number
}

interface CountOptions {
  signal: AbortSignal
  onProgress: (done: number, total: number) => void
}

/** Computes a version of similar products in threads of its own, so that the process answers in the meantime. */
export interface SimilarityJob {
  takeEvents: (page: EventPage) => Promise<void>
  takeProducts: (page: ProductPage) => Promise<void>
  /** Counts what was taken. @throws the reason of the signal. */
  count: (options: CountOptions) => Promise<CountedRows>
  /** Products with adjacent numbers. */
  products: (from: number, to: number) => Promise<{ ids: string[]; categories: (string | null)[]; brands: (string | null)[] }>
  /** Ends the threads. */
  stop: () => Promise<void>
}

/** A phase has at most 256 blocks; each counts as this much of the progress, however many it has. */
const PHASE_BLOCKS = 256
const PHASES = 3

const ENTRY = new URL('similarity-log.ts', import.meta.url)

export function startSimilarityJob(settings: VersionSettings, threads: number): SimilarityJob {
  const log = startThread<LogMethods>(ENTRY, 'similarity log')
  const begun = log.call('begin', settings)
  // A caller learns of it by the next call.
  begun.catch(() => undefined)
  return {
    takeEvents: (page) => log.call('addEvents', page),
    takeProducts: (page) => log.call('addProducts', page),
    count: async ({ signal, onProgress }) => {
      const { histories, baskets, attributes, shoppers } = await log.call('finish', null)
      const options = (phase: number) => ({
        ...{ threads, signal },
        onProgress: (done: number, total: number) =>
          onProgress(Math.floor((phase + done / total) * PHASE_BLOCKS), PHASES * PHASE_BLOCKS),
      })
      const matrix = await countSimilarity(histories, settings, options(0))
      const content = await countContent(attributes, options(1))
      const bought = await countSimilarity(baskets, basketSettings(settings), options(2))
      return { matrix, content, bought, shoppers, bots: histories.bots }
    },
    products: (from, to) => log.call('products', { from, to }),
    stop: log.stop,
  }
}
