import type { RecordPaymentResponse } from '../../src/contract/payment.ts'
import type { RecordedBatchResult } from '../../src/store/log/batch.ts'
import type { GroupSize } from '../../src/store/log/group.ts'
import type { Rejection } from '../../src/admission/rows.ts'

/** What the services tell of their work as it happens; metrics are made of it. A replayed step tells nothing. */
export interface ServiceObserver {
  /** A call's batch was committed. One whose connection broke between the commit and its answer is left out. */
  recorded: (batch: { of: Recorded; accepted: number; duplicates: number; rejected: readonly Pick<Rejection, 'code'>[] }) => void
  /** What became of the payment callbacks of a call that was committed. */
  paid: (answers: readonly RecordPaymentResponse[]) => void
  /** A group of waiting batches was counted or fed in one transaction. */
  groupCounted: (target: Target, group: GroupSize) => void
}

export type Target = 'popularity' | 'profiles'

/** What a call recorded. */
export type Recorded = 'interactions' | 'searches' | 'events'

/** Tells of a batch that this attempt inserted; `rejections` are those that the handler decided. */
export function observeRecorded(
  observer: ServiceObserver,
  of: Recorded,
  result: Pick<RecordedBatchResult, 'accepted' | 'duplicateIndexes' | 'refused'>,
  rejections: readonly Rejection[],
): void {
  observer.recorded({
    of,
    accepted: result.accepted,
    duplicates: result.duplicateIndexes.length,
    rejected: [...rejections, ...result.refused],
  })
}
