import type { Attributes, Content } from '../ranking/similarity/content.ts'
import type { Histories } from '../ranking/similarity/histories.ts'
import type { Rows } from '../ranking/similarity/rows.ts'
import type { SimilaritySettings } from '../ranking/similarity/settings.ts'

/** What the threads of a job count, and the shared arrays that they write. */
export type Counting =
  | { is: 'pairs'; histories: Histories; settings: SimilaritySettings; into: Rows }
  | { is: 'content'; attributes: Attributes; into: Content }

/** What all threads of a job share, so that a block is taken without a message. */
export interface SharedBlocks {
  /** Where each block of products ends. */
  ends: Int32Array
  /** The next block that no thread has taken. */
  next: Int32Array
  /** How often each block was taken. */
  attempts: Int32Array
  /** The block that each thread has, or NO_BLOCK. */
  current: Int32Array
}

export const NO_BLOCK = -1

/** What a thread gets when it starts. */
export interface CounterStart {
  counting: Counting
  blocks: SharedBlocks
  /** Its place in `current`. */
  thread: number
  /** A block whose thread ended, to be counted first. */
  again: number | undefined
}

/** What a thread says after each block; it ends after the last one. */
export interface BlockDone {
  block: number
}
