import { parentPort } from 'node:worker_threads'
import { countBlocks } from '../../src/workers/similarity-blocks.ts'
import type { CounterStart } from '../../src/workers/similarity-protocol.ts'

/**
 * A thread of the similarity matrix that misbehaves in some attempts of some blocks. The fault is named by the environment, of
 * which a thread gets a copy.
 */
const fault = process.env['SIMILARITY_FAULT']

function misbehave(block: number, attempt: number): void {
  if (fault === 'ends' && attempt === 1) process.exit(0)
  if (fault === 'throws' && block % 3 === 0 && attempt <= 2) throw new Error('out of luck')
  if (fault === 'always throws' && block === 2) throw new Error('out of luck')
  if (fault === 'hangs' && block % 4 === 1 && attempt === 1) for (;;);
}

parentPort!.once('message', (start: CounterStart) => countBlocks(start, misbehave))
