import type { PartEnd } from '../admission/item-parts.ts'
import type { ItemList } from '../admission/request-items.ts'
import type { Split } from '../admission/split-items.ts'
import type { ItemWriting } from '../admission/write-items.ts'
import type { DecidedError } from '../contract/decided-error.ts'
import type { KindWith } from '../contract/kinds.ts'

/** What goes to the worker thread: a body that lists items, which become ready for a durable call. */
export interface ItemsJob extends ItemWriting {
  list: ItemList
  body: Uint8Array<ArrayBuffer>
  /** Leaves out the items that will be rejected, instead of having them rejected and kept by the handler. */
  leaveOut: { kind: KindWith<'isBatched'>; nowMs: number } | undefined
}

/** Written items as bytes, which are handed over without a copy. */
export interface ItemsInBytes {
  /** The ids that events without one were given, as JSON: a text is handed over in less time than objects, and rarely read. */
  assigned: string
  /** JSON with commas between the items. */
  json: Uint8Array<ArrayBuffer>
  count: number
  /** Where its parts end, in bytes. */
  partEnds: PartEnd[]
  /** Undefined when all items are there. */
  split: Split | undefined
}

/** What comes back: the items, or why the request is refused. Errors lose their class between threads. */
export type ItemsAnswer = { written: ItemsInBytes } | { refused: Pick<DecidedError, 'code' | 'problem' | 'field' | 'details'> }
