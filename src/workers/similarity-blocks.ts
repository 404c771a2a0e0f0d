import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { createContentCounter } from '../ranking/similarity/content.ts'
import { createRowCounter } from '../ranking/similarity/count-rows.ts'
import { type BlockDone, type Counting, type CounterStart, NO_BLOCK } from './similarity-protocol.ts'

/** Counts blocks until none is left, in a thread. @param onBlock  is called before each block, for tests */
export function countBlocks(
  { counting, blocks: { ends, next, attempts, current }, thread, again }: CounterStart,
  onBlock: (block: number, attempt: number) => void = () => {},
): void {
  const count = counterOf(counting)
  const take = () => Atomics.add(next, 0, 1)
  for (let block = again ?? take(); block < ends.length; block = take()) {
    Atomics.store(current, thread, block)
    onBlock(block, Atomics.add(attempts, block, 1) + 1)
    count(block === 0 ? 0 : ends[block - 1]!, ends[block]!)
    parentPort!.postMessage({ block } satisfies BlockDone)
    Atomics.store(current, thread, NO_BLOCK)
  }
}

function counterOf(counting: Counting): (from: number, to: number) => void {
  return counting.is === 'pairs'
    ? createRowCounter(counting.histories, counting.settings, counting.into)
    : createContentCounter(counting.attributes, counting.into)
}

/** Lets the threads that answer requests go first. Linux has priorities of threads; elsewhere this would slow down the whole process. */
export function yieldToOtherThreads(): void {
  if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_LOW)
}
