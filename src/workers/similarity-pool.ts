import { Worker } from 'node:worker_threads'
import { blockEndsOf, contentWork, pairWork } from '../ranking/similarity/blocks.ts'
import { type Attributes, type Content, sharedContent } from '../ranking/similarity/content.ts'
import type { Histories } from '../ranking/similarity/histories.ts'
import { type Matrix, matrixOf } from '../ranking/similarity/matrix.ts'
import { sharedRows } from '../ranking/similarity/rows.ts'
import type { SimilaritySettings } from '../ranking/similarity/settings.ts'
import { sharedInt32 } from '../ranking/similarity/shared-arrays.ts'
import { type BlockDone, type Counting, type CounterStart, NO_BLOCK, type SharedBlocks } from './similarity-protocol.ts'

export interface PoolOptions {
  threads: number
  /** Ends the threads, and rejects the promise with the signal's reason. */
  signal?: AbortSignal | undefined
  onProgress?: ((done: number, total: number) => void) | undefined
  /** How long a block may take. The thread of a later one is ended, and another thread counts the block again. */
  blockMsMax?: number
  blocks?: number
  /** The file of the threads. */
  entry?: URL
}

const ENTRY = new URL('similarity-counter.ts', import.meta.url)

/** The longest block of 10 million events takes 0.1 s. */
const BLOCK_MS_MAX = 30_000

/** A block that ended so many threads would end any thread. */
const ATTEMPTS_MAX = 3

/** The matrix of `similarityOf`, with any number of threads. @throws the reason of the signal, or an error about a block that no thread finishes */
export async function countSimilarity(histories: Histories, settings: SimilaritySettings, options: PoolOptions): Promise<Matrix> {
  const into = sharedRows(histories.products, settings.neighboursMax)
  const ends = blockEndsOf(histories.products, pairWork(histories), options.blocks)
  await countAll({ is: 'pairs', histories, settings, into }, ends, options)
  return matrixOf(histories, into)
}

/** The rows of `contentOf`, with any number of threads. @throws as countSimilarity */
export async function countContent(attributes: Attributes, options: PoolOptions): Promise<Content> {
  const into = sharedContent(attributes.products)
  const ends = blockEndsOf(attributes.products, contentWork(attributes), options.blocks)
  await countAll({ is: 'content', attributes, into }, ends, options)
  return into
}

async function countAll(counting: Counting, ends: Int32Array, options: PoolOptions): Promise<void> {
  const threads = Math.max(1, Math.min(options.threads, ends.length))
  const blocks: SharedBlocks = {
    ends,
    next: sharedInt32(1),
    attempts: sharedInt32(ends.length),
    current: sharedInt32(threads).fill(NO_BLOCK),
  }
  const failing = new AbortController()
  const signal = AbortSignal.any([failing.signal, ...(options.signal === undefined ? [] : [options.signal])])
  signal.throwIfAborted()
  const done = new Set<number>()
  const onBlock = (block: number) => {
    done.add(block)
    options.onProgress?.(done.size, ends.length)
  }
  await Promise.all(
    Array.from({ length: threads }, async (_, thread) => {
      await countInThread({ counting, blocks, thread, again: undefined }, { ...options, signal, onBlock }).catch(
        (error: unknown) => failing.abort(error),
      )
    }),
  )
  signal.throwIfAborted()
}

interface ThreadOptions extends PoolOptions {
  signal: AbortSignal
  onBlock: (block: number) => void
}

/** Counts blocks in a thread, and in a new one whenever it ends before its block does. */
async function countInThread(start: CounterStart, options: ThreadOptions): Promise<void> {
  const { current, attempts } = start.blocks
  for (let again: number | undefined; ;) {
    const cause = await endOf({ ...start, again }, options)
    const block = Atomics.load(current, start.thread)
    if (options.signal.aborted || (block === NO_BLOCK && cause === undefined)) return
    if (block === NO_BLOCK) throw new Error('a thread of the similarity matrix did not start', { cause })
    if (Atomics.load(attempts, block) >= ATTEMPTS_MAX) {
      throw new Error(`${ATTEMPTS_MAX} threads ended in block ${block + 1} of ${attempts.length} of the similarity matrix`, {
        cause,
      })
    }
    again = block
  }
}

/** Why a thread ends; undefined when no block is left. */
async function endOf(
  start: CounterStart,
  { signal, onBlock, entry = ENTRY, blockMsMax = BLOCK_MS_MAX }: ThreadOptions,
): Promise<unknown> {
  // The process's own options are for its main thread.
  const worker = new Worker(entry, { name: 'similarity', execArgv: [] })
  const { promise, resolve } = Promise.withResolvers<void>()
  const currentBlock = () => Atomics.load(start.blocks.current, start.thread)
  let cause: unknown
  let watched = currentBlock()
  const watch = () => {
    // This thread may have been held up itself, and messages wait.
    if (currentBlock() === watched) {
      cause = new Error(`a block took more than ${blockMsMax} ms`)
      void worker.terminate()
    }
    watched = currentBlock()
    timer.refresh()
  }
  const timer = setTimeout(watch, blockMsMax)
  const end = () => void worker.terminate()
  signal.addEventListener('abort', end)
  worker.on('message', ({ block }: BlockDone) => {
    watched = currentBlock()
    timer.refresh()
    onBlock(block)
  })
  worker.on('error', (error) => (cause = error))
  worker.on('exit', () => resolve())
  worker.postMessage(start)
  await promise
  clearTimeout(timer)
  signal.removeEventListener('abort', end)
  return cause
}
