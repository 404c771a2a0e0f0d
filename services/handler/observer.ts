import type { Rejection } from '../../src/admission/rows.ts'
import type { Kind } from '../../src/contract/kinds.ts'
import type { RecordPaymentResponse } from '../../src/contract/payment.ts'
import type { GroupSize } from '../../src/store/log/group.ts'

/** Observes the work of the services, for metrics. A replayed step reports nothing. */
export interface ServiceObserver {
  /** A call's rows were committed. A call whose connection broke between the commit and its answer is left out. */
  recorded: (call: RecordedCall) => void
  /** The payment callbacks of a call were committed, with these answers. */
  paid: (answers: readonly RecordPaymentResponse[]) => void
  /** A group of waiting batches was counted or fed in one transaction. */
  groupCounted: (target: Target, group: GroupSize) => void
  /** So many impressions of recommendations were recorded. */
  impressions: (count: number) => void
  /** An attempt to deliver an alert was kept, after which the delivery is so. */
  alertSent: (outcome: AlertOutcome) => void
  /** A recorder set a call aside. */
  setAside: () => void
  /** A direct call was refused, because PostgreSQL is away and too many calls wait. */
  callRefused: () => void
  /** A message named a batch that the log does not have. */
  batchLost: (target: Target) => void
}

/** Payments have an observer of their own, because a callback can be accepted in part. */
export type RecordedKind = Exclude<Kind, 'payment'>

export interface RecordedCall {
  kind: RecordedKind
  accepted: number
  duplicates: number
  rejected: readonly Pick<Rejection, 'code'>[]
}

export type AlertOutcome = 'delivered' | 'retrying' | 'failed' | 'dropped'

export type Target = 'popularity' | 'profiles'
