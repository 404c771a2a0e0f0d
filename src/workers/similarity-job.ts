import { basketSettings, type VersionSettings } from '../ranking/similarity/version-settings.ts'
import type { EventPage, LogMethods, ProductPage, VersionChunk } from './similarity-log.ts'
import { countContent, countSimilarity } from './similarity-pool.ts'
import { startThread } from './thread-calls.ts'

/** What the rows of a version come to. */
export interface CountedTotals {
  products: number
  shoppers: number
  bots: number
  /** Neighbours of all products. */
  pairs: number
  /** The median of the best similarities of all products. */
  medianBest: number
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
  count: (options: CountOptions) => Promise<CountedTotals>
  /** Products with adjacent numbers, and their rows. */
  chunk: (from: number, to: number) => Promise<VersionChunk>
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
      const { histories, baskets, attributes, shoppers } = await unlessAborted(log.call('finish', null), signal)
      const options = (phase: number) => ({
        ...{ threads, signal },
        onProgress: (done: number, total: number) =>
          onProgress(Math.floor((phase + done / total) * PHASE_BLOCKS), PHASES * PHASE_BLOCKS),
      })
      const matrix = await countSimilarity(histories, settings, options(0))
      const content = await countContent(attributes, options(1))
      const bought = await countSimilarity(baskets, basketSettings(settings), options(2))
      await log.call('counted', { matrix, content, bought })
      return {
        products: matrix.products,
        ...{ shoppers, bots: histories.bots },
        pairs: matrix.length.reduce((sum, length) => sum + length, 0),
        medianBest: matrix.medianBest,
      }
    },
    chunk: (from, to) => log.call('chunk', { from, to }),
    stop: log.stop,
  }
}

/** The outcome of a call, unless the signal is raised first: a thread cannot be interrupted. @throws the reason of the signal */
async function unlessAborted<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason as Error)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort)
  try {
    return await Promise.race([call, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
