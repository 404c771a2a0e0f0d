import { SEARCHES_MAX } from '../../contract/search.ts'
import type { Database } from '../../store/database/connection.ts'
import { type CallGate, createCallGate } from './call-gate.ts'
import { createGroupCommit, recordsOf, submissionsOf } from './group-commit.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { createOwnCalls } from './own-call.ts'
import { type Recorder, createRecorder } from '../../ingress/recorder.ts'
import type { RecordingWays } from './record-request.ts'

/** Calls on their way beside the group commit. */
const OWN_CALLS_MAX = 64
/** Of callers who do not wait for the outcome: 64 of them took 44 a second from the others, who then got no answer in time. */
const SUBMITTED_CALLS_MAX = 4
const OWN_CALLS_WAITING_MAX = 1_000

export interface WaysOptions {
  ingressUrl: string
  db: Database
  /** Flushes of each queue on their way at once, when each of them is full. */
  flushesMax: number
  /** What may wait in each queue. */
  queueEventsMax: number
  queueBytesMax: number
  observer: Pick<GatewayObserver, 'flushed' | 'turnedAway'>
  /** What hands interactions to Restate, when that is not the ingress alone. */
  restate?: Recorder
}

/** The ways on which interactions are recorded, and searches; the gate is that of every call that is somebody's own. */
export interface AllWays extends RecordingWays {
  searches: RecordingWays
  gate: CallGate
}

export function recordingWays(options: WaysOptions): AllWays {
  const { ingressUrl, db, observer, restate = createRecorder(ingressUrl), ...limits } = options
  const gateOf = (callsMax: number) =>
    createCallGate({
      callsMax,
      waitingMax: OWN_CALLS_WAITING_MAX,
      bytesMax: limits.queueBytesMax,
      onFull: () => observer.turnedAway('queue_full'),
    })
  const gate = gateOf(OWN_CALLS_MAX)
  const submitGate = gateOf(SUBMITTED_CALLS_MAX)
  const waysOf = (of: Recorder, flush: { flushEventsMax?: number } = {}): RecordingWays => {
    const groups = { ...limits, ...flush, deadlineMs: of.deadlineMs, observer }
    return {
      groupCommit: createGroupCommit({ ...groups, ...recordsOf(of) }),
      groupSubmit: createGroupCommit({ ...groups, ...submissionsOf(of) }),
      ownCalls: createOwnCalls({ db, recorder: of, gate, submitGate }),
    }
  }
  const searches = createRecorder(ingressUrl, restate.deadlineMs, 'search')
  return { ...waysOf(restate), searches: waysOf(searches, { flushEventsMax: SEARCHES_MAX }), gate }
}
