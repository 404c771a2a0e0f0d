import { createGroupCommit, type GroupCommit, recordsOf } from './group-commit.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { createRecorder } from '../../ingress/recorder.ts'

export interface EventWriterOptions {
  ingressUrl: string
  flushesMax: number
  queueEventsMax: number
  queueBytesMax: number
  observer: Pick<GatewayObserver, 'flushed' | 'turnedAway'>
  /** How long an answer is waited for, retries included. */
  deadlineMs?: number
}

/** Gathers the analytics events of many requests into durable calls. */
export function createEventWriter({ ingressUrl, deadlineMs, ...rest }: EventWriterOptions): GroupCommit {
  const of = createRecorder(ingressUrl, deadlineMs, 'analytics_event')
  return createGroupCommit({ ...rest, ...recordsOf(of), deadlineMs: of.deadlineMs })
}
