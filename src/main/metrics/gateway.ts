import { type Aggregator, Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { WEBHOOK_CODES } from '../../contract/payment-webhook.ts'
import { STANDBY_READS } from '../../gateway/standbys/read-source.ts'
import type { GatewayObserver, QueueLength, WebhookOutcome } from '../../gateway/http/observer.ts'
import { labelledCounter } from './labelled-counter.ts'
import { recordedCounters } from './recorded.ts'
import { EVENTS, SECONDS } from './registry.ts'

const REQUESTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024]

const IMPRESSIONS = {
  name: 'footfall_gateway_impressions_total',
  help: 'Impressions of recommendations: made (an answer was given), handed_over (Restate has it) or lost (no room).',
  label: 'state',
  values: ['made', 'handed_over', 'lost'],
}

const READS = {
  name: 'footfall_gateway_standby_reads_total',
  help: 'Reads that may run on a standby: standby (it answered), none_usable (none is near enough, so the primary answered) or failed_over (it failed there, so the primary answered).',
  label: 'outcome',
  values: STANDBY_READS,
}

const WEBHOOK_OUTCOMES: readonly WebhookOutcome[] = ['mapped', ...WEBHOOK_CODES]

/** Makes metrics of what the gateway reports. `providers` are those with an adapter. */
export function gatewayMetrics(registry: Registry, providers: readonly string[] = []): GatewayObserver {
  const registers = [registry]
  const requestSeconds = new Histogram({
    name: 'footfall_http_request_duration_seconds',
    help: 'Requests that were answered, by the pattern of their route.',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers,
  })
  const countByKind = recordedCounters(registry, 'footfall_gateway', 'that came over REST')
  const rejections = new Counter({
    name: 'footfall_gateway_rejections_total',
    help: 'Interactions, searches and analytics events that came over REST and were rejected.',
    labelNames: ['code'],
    registers,
  })
  const turnedAway = new Counter({
    name: 'footfall_gateway_turned_away_total',
    help: 'Requests that were turned away: no key, a wrong key, too many requests, or too much waiting.',
    labelNames: ['reason'],
    registers,
  })
  const notKept = new Counter({
    name: 'footfall_gateway_rejections_not_kept_total',
    help: 'Rejected interactions, searches and webhooks that were answered and not kept: too old for a publishable key, beyond what is kept of a key or a provider in an hour, or a webhook during an outage.',
    registers,
  })
  const impressions = labelledCounter(registry, IMPRESSIONS)
  const standbyReads = labelledCounter(registry, READS)
  const webhooks = new Counter({
    name: 'footfall_gateway_webhooks_total',
    help: 'Signed webhooks by what their adapter made of them: mapped (payment callbacks), ignored (none on purpose) or refused (an error).',
    labelNames: ['provider', 'outcome'],
    registers,
  })
  // A rate misses the first event of a series that appears with it.
  for (const provider of providers) for (const outcome of WEBHOOK_OUTCOMES) webhooks.inc({ provider, outcome }, 0)
  return {
    answered: ({ method, route, status, seconds }) => requestSeconds.observe({ method, route, status }, seconds),
    recorded: ({ accepted, duplicates, rejected }, kind) => {
      countByKind[kind]({ accepted, duplicates, rejected: rejected.length })
      // Each count costs a microsecond, and a request may have 10,000 rejections.
      for (const [code, items] of Map.groupBy(rejected, (rejection) => rejection.code)) rejections.inc({ code }, items.length)
    },
    flushed: flushHistograms(registry),
    turnedAway: (reason) => turnedAway.inc({ reason }),
    webhook: (provider, outcome) => webhooks.inc({ provider, outcome }),
    notKept: (count) => notKept.inc(count),
    impressions,
    readFromStandby: (outcome) => standbyReads(outcome, 1),
  }
}

function flushHistograms(registry: Registry): GatewayObserver['flushed'] {
  const registers = [registry]
  const flushEvents = new Histogram({
    name: 'footfall_gateway_flush_events',
    help: 'Events per flush: a flush is one call that records the events of many requests.',
    buckets: EVENTS,
    registers,
  })
  const flushRequests = new Histogram({
    name: 'footfall_gateway_flush_requests',
    help: 'Requests per flush.',
    buckets: REQUESTS,
    registers,
  })
  const flushSeconds = new Histogram({
    name: 'footfall_gateway_flush_duration_seconds',
    help: 'Flushes by outcome: recorded, or unknown when the call failed or missed its deadline.',
    labelNames: ['outcome'],
    buckets: SECONDS,
    registers,
  })
  for (const outcome of ['recorded', 'unknown']) flushSeconds.zero({ outcome })
  return ({ requests, events, seconds, isRecorded }) => {
    flushEvents.observe(events)
    flushRequests.observe(requests)
    flushSeconds.observe({ outcome: isRecorded ? 'recorded' : 'unknown' }, seconds)
  }
}

export interface WatchedQueues {
  queues: readonly { length: () => QueueLength }[]
  /** The limits of each queue. */
  queueEventsMax: number
  queueBytesMax: number
  room: { lengths: () => { recorder: string; calls: number; bytes: number }[] }
  /** The limit of each recorder, over all gateways. */
  recorderBytesMax: number
}

/** The sums over all queues, read when the metrics are scraped. */
export function watchQueues(
  registry: Registry,
  { queues, queueEventsMax, queueBytesMax, room, recorderBytesMax }: WatchedQueues,
): void {
  const sumOf = (part: keyof QueueLength) => queues.reduce((sum, queue) => sum + queue.length()[part], 0)
  const gauge = (name: string, help: string, read: () => number, aggregator: Aggregator = 'sum') =>
    new Gauge({
      name: `footfall_gateway_${name}`,
      help,
      aggregator,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  gauge('queue_requests', 'Requests that wait for a flush.', () => sumOf('requests'))
  gauge('queue_events', 'Events that wait for a flush.', () => sumOf('events'))
  gauge('queue_bytes', 'Bytes of the bodies that wait for a flush.', () => sumOf('bytes'))
  gauge('queue_events_max', 'Events that may wait; a request beyond it is turned away.', () => queueEventsMax)
  gauge('queue_bytes_max', 'Bytes that may wait; a request beyond it is turned away.', () => queueBytesMax)
  gauge('recorder_bytes_max', 'Bytes that may wait in a recorder, from all gateways.', () => recorderBytesMax, 'max')
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_gateway_recorder_bytes',
    help: 'Bytes that this gateway handed to a recorder, and that are not recorded. A call counts as 16 KiB at least.',
    labelNames: ['recorder'],
    registers: [registry],
    collect() {
      for (const { recorder, bytes } of room.lengths()) this.set({ recorder }, bytes)
    },
  })
  gauge('flushes_in_flight', 'Flushes that were sent and not yet answered.', () => sumOf('flushes'))
}
