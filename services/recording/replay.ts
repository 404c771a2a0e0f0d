import type { Rejection } from '../../src/admission/rows.ts'
import { type Correction, rejectedIdOf, type ReplayRejectedResponse } from '../../src/contract/rejected.ts'
import type { BatchBounds } from '../../src/store/log/batch.ts'
import type { RejectedItemToReplay, ReplayOf } from '../../src/store/log/rejected-replay.ts'

export interface Replay {
  item: RejectedItemToReplay
  key: ReplayOf
  set: Correction | undefined
  /** Of a webhook. */
  callbacks: readonly unknown[] | undefined
  nowMs: number
}

export interface Replayed {
  batch: BatchBounds
  answer: ReplayRejectedResponse
}

export function rejectedAgain(batchId: string, { index, code, field, message }: Rejection): ReplayRejectedResponse {
  return { outcome: 'rejected', rejection: { id: rejectedIdOf({ batch_id: batchId, index }), code, field, message } }
}
