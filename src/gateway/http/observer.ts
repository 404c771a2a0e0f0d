import type { FastifyInstance } from 'fastify'
import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import type { WebhookCode } from '../../contract/payment-webhook.ts'
import type { StandbyRead } from '../standbys/read-source.ts'
import type { BatchAnswered } from '../../ingress/recorder.ts'

/** Called as the gateway works; metrics are made from it. */
export interface GatewayObserver {
  /** A request was answered. `route` is the pattern that matched, or "unknown". */
  answered: (request: { method: string; route: string; status: number; seconds: number }) => void
  /** The events of one request were recorded or rejected. */
  recorded: (answer: CreateInteractionResponse, kind: BatchAnswered) => void
  /** A call with the events of one or more requests was answered, or failed. */
  flushed: (flush: { requests: number; events: number; seconds: number; isRecorded: boolean }) => void
  /** A request was turned away, e.g. for a missing or wrong key, too many requests, or a full queue. */
  turnedAway: (reason: string) => void
  /** A signed webhook was mapped to callbacks by its adapter, or ignored or refused by it. */
  webhook: (provider: string, outcome: WebhookOutcome) => void
  /** Rejected items were answered, and not kept. */
  notKept: (count: number) => void
  /** Impressions of recommendations were made, handed over to Restate, or lost. */
  impressions: (state: ImpressionState, count: number) => void
  /** A read that may run on a standby ran there, or on the primary. */
  readFromStandby: (outcome: StandbyRead) => void
}

export type ImpressionState = 'made' | 'handed_over' | 'lost'

export type WebhookOutcome = 'mapped' | WebhookCode

/** What waits in a queue at one moment. */
export interface QueueLength {
  requests: number
  events: number
  bytes: number
  /** Calls that were sent and not yet answered. */
  flushes: number
}

/** Counts by the route's pattern, because addresses have ids, of which there are too many for labels. */
export function observeEachRequest(app: FastifyInstance, observer: GatewayObserver): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request
    const seconds = reply.elapsedTime / 1_000
    observer.answered({ method, route: routeOptions.url ?? 'unknown', status: reply.statusCode, seconds })
  })
}
