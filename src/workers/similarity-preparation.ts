import { Worker } from 'node:worker_threads'
import type { Attributes } from '../ranking/similarity/content.ts'
import type { Histories, Order } from '../ranking/similarity/histories.ts'
import type { Bounds, EventBatch, PreparerArguments, PreparerMethod, PreparerResults } from './similarity-protocol.ts'

/** Prepares the input of the matrix in a thread: 10 million events take 1 s, in which the event loop of the caller stays free. */
export interface Preparation {
  begin: (order: Order, bounds: Bounds) => Promise<void>
  /** Adds events. Their arrays are handed over, and not readable any more. A caller that waits for it has at most one batch in memory. */
  add: (batch: EventBatch) => Promise<void>
  /** @param numberOf  the final number of each product; those of the events if it is absent */
  finish: (products: number, numberOf?: Int32Array) => Promise<Histories>
  attributes: (lists: readonly (readonly number[])[]) => Promise<Attributes>
  /** Ends the thread; calls that wait are rejected. */
  stop: () => Promise<void>
}

const ENTRY = new URL('similarity-preparer.ts', import.meta.url)

interface Waiting {
  resolve: (result: never) => void
  reject: (error: Error) => void
}

export function startPreparation(): Preparation {
  const worker = new Worker(ENTRY, { name: 'similarity', execArgv: [] })
  const waiting: Waiting[] = []
  let cause: unknown
  let hasEnded = false
  worker.on('message', (result) => waiting.shift()?.resolve(result as never))
  worker.on('error', (error) => (cause = error))
  worker.on('exit', () => {
    hasEnded = true
    for (const { reject } of waiting.splice(0)) reject(endedError())
  })
  const endedError = () => new Error('the thread that prepares the similarity matrix has ended', { cause })

  const call = async <Method extends PreparerMethod>(
    method: Method,
    args: PreparerArguments[Method],
    handedOver: ArrayBuffer[] = [],
  ): Promise<PreparerResults[Method]> => {
    if (hasEnded) throw endedError()
    const { promise, resolve, reject } = Promise.withResolvers<PreparerResults[Method]>()
    waiting.push({ resolve, reject })
    worker.postMessage({ method, args }, handedOver)
    return promise
  }
  return {
    begin: (order, bounds) => call('begin', { order, bounds }),
    add: (batch) => call('add', batch, [batch.shoppers.buffer, batch.products.buffer, batch.days.buffer]),
    finish: (products, numberOf) => call('finish', { products, numberOf }),
    attributes: (lists) => call('attributes', lists),
    stop: async () => void (await worker.terminate()),
  }
}
