import { parentPort } from 'node:worker_threads'
import { countBlocks, yieldToOtherThreads } from './similarity-blocks.ts'
import type { CounterStart } from './similarity-protocol.ts'

/** A thread that counts rows of the similarity matrix. It ends when no block is left. */
yieldToOtherThreads()
parentPort!.once('message', (start: CounterStart) => countBlocks(start))
