import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import type { BatchAnswered } from '../../ingress/recorder.ts'

/** What the gateway tells of its work as it happens; metrics are made of it. */
export interface GatewayObserver {
  /** A request was answered. `route` is the pattern that matched, or "unknown". */
  answered: (request: { method: string; route: string; status: number; seconds: number }) => void
  /** What became of the interactions of one request, of its search, or of its analytics events. */
  recorded: (answer: CreateInteractionResponse, kind: BatchAnswered) => void
  /** A call with the events of one or more requests was answered, or was not. */
  flushed: (flush: { requests: number; events: number; seconds: number; isRecorded: boolean }) => void
  /** A request was turned away: no key, a wrong one, too many, a full queue … */
  turnedAway: (reason: string) => void
}

/** What waits in the gateway at a moment. */
export interface QueueLength {
  requests: number
  events: number
  bytes: number
  /** Calls on their way. */
  flushes: number
}
