import { availableParallelism } from 'node:os'
import { type Kind, KINDS, kindsWith } from '../../contract/kinds.ts'
import type { RecordPaymentResponse } from '../../contract/payment.ts'
import type { Ingress } from '../../ingress/clients.ts'
import { type BatchAnswered, createRecorder } from '../../ingress/recorder.ts'
import type { Database } from '../../store/database/connection.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { type CallGate, createCallGate } from './call-gate.ts'
import { FLUSH_EVENTS_MAX } from './flush.ts'
import { createGroupCommit, type GroupCommit } from './group-commit.ts'
import { createOwnCalls, type OwnCalls } from './own-call.ts'
import { createRejectionBudget, type RejectionBudget, type RejectionLimits } from './rejection-budget.ts'
import { createSendingCallers, type SendingCallers } from '../http/sending-callers.ts'
import { createGroupSubmit } from './group-submit.ts'
import { createImpressions, type Impressions } from './impressions.ts'
import { createRecorderRoom, type RecorderRoom } from './recorder-room.ts'
import { paymentsOf, recordsOf } from './senders.ts'

/** Concurrent calls that carry one request each. */
const OWN_CALLS_MAX = 64
/** Concurrent respond-async calls. With 64 of them waiting callers got 44 answers/s fewer and timed out. */
const SUBMITTED_CALLS_MAX = 4
const OWN_CALLS_WAITING_MAX = 1_000
/** Concurrent calls of one caller next to others: these find a processor that is not busy. */
const CALLER_CALLS_MAX = Math.max(1, availableParallelism() >> 1)

/** The ways in which events of one kind are recorded. */
export interface RecordingWays {
  groupCommit: GroupCommit
  /** Hands events over without waiting for their outcome: for respond-async requests. */
  groupSubmit: GroupCommit<string>
  ownCalls: OwnCalls
}

/** Everything that records. */
export interface Recording {
  ways: Record<BatchAnswered, RecordingWays>
  /** Payment callbacks are answered one by one, and always waited for. */
  payments: GroupCommit<readonly RecordPaymentResponse[]>
  /** For calls that carry one request each, of every kind and of the catalog. */
  gate: CallGate
  /** What is kept of rejected items. */
  rejections: RejectionBudget
  /** What was handed over and is not recorded. */
  room: RecorderRoom
  impressions: Impressions
  /** Every queue, for the metrics. */
  queues: readonly Pick<GroupCommit, 'length'>[]
}

export interface RecordingOptions {
  ingress: Ingress
  db: Database
  /** Concurrent flushes of each queue, when each of them is full. */
  flushesMax: number
  /** What may wait in each queue. */
  queueEventsMax: number
  queueBytesMax: number
  /** What may wait in each recorder, for all gateways together. */
  recorderBytesMax: number
  rejectionLimits: RejectionLimits
  /** Whether impressions of recommendations are recorded. */
  recordsImpressions: boolean
  observer: Pick<GatewayObserver, 'flushed' | 'turnedAway' | 'impressions'>
}

/** Builds the queues of every kind in KINDS. */
export function createRecording({
  ingress,
  db,
  observer,
  rejectionLimits,
  recorderBytesMax,
  recordsImpressions,
  ...limits
}: RecordingOptions): Recording {
  const sending = createSendingCallers()
  const gateOf = (callsMax: number) =>
    createCallGate({
      callsMax,
      callerCallsMax: CALLER_CALLS_MAX,
      sending,
      waitingMax: OWN_CALLS_WAITING_MAX,
      waitMsMax: ingress.deadlineMs,
      bytesMax: limits.queueBytesMax,
      onFull: () => observer.turnedAway('queue_full'),
    })
  const gate = gateOf(OWN_CALLS_MAX)
  const submitGate = gateOf(SUBMITTED_CALLS_MAX)
  const room = createRecorderRoom({ ingress, bytesMax: recorderBytesMax })
  const waysOf = (kind: BatchAnswered): RecordingWays => {
    const recorder = createRecorder(ingress, kind)
    const options = { ...limits, flushEventsMax: flushEventsMaxOf(kind), deadlineMs: recorder.deadlineMs, observer }
    return {
      groupCommit: noting(sending, createGroupCommit({ ...options, ...recordsOf(recorder) })),
      groupSubmit: noting(sending, createGroupSubmit({ ...options, recorder, room })),
      ownCalls: createOwnCalls({ db, recorder, gate, submitGate, room }),
    }
  }
  const byKind = kindsWith('isAnsweredAsBatch').map((kind) => [kind, waysOf(kind)] as const)
  const payments = noting(
    sending,
    createGroupCommit({
      ...limits,
      ...paymentsOf(ingress),
      flushEventsMax: flushEventsMaxOf('payment'),
      deadlineMs: ingress.deadlineMs,
      observer,
    }),
  )
  return {
    ways: Object.fromEntries(byKind) as Recording['ways'],
    payments,
    gate,
    room,
    impressions: createImpressions({ ingress, room, isOn: recordsImpressions, observer }),
    rejections: createRejectionBudget(rejectionLimits),
    queues: [...byKind.flatMap(([, { groupCommit, groupSubmit }]) => [groupCommit, groupSubmit]), payments],
  }
}

/** Notes the callers that record in groups. */
function noting<Part>(sending: SendingCallers, { record, ...others }: GroupCommit<Part>): GroupCommit<Part> {
  return {
    ...others,
    record: (request) => {
      sending.note(request.sender ?? request.caller)
      return record(request)
    },
  }
}

function flushEventsMaxOf(kind: Kind): number {
  return Math.min(FLUSH_EVENTS_MAX, KINDS[kind].itemsMax)
}
