import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { GatewayObserver, QueueLength } from '../../gateway/http/observer.ts'
import { EVENTS, SECONDS } from './registry.ts'

const REQUESTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024]

/** What the gateway tells, as metrics. */
export function gatewayMetrics(registry: Registry): GatewayObserver {
  const registers = [registry]
  const requestSeconds = new Histogram({
    name: 'footfall_http_request_duration_seconds',
    help: 'Requests that were answered, by the pattern of their route.',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers,
  })
  const interactions = new Counter({
    name: 'footfall_gateway_interactions_total',
    help: 'What became of the interactions that came over REST: accepted, duplicate or rejected.',
    labelNames: ['outcome'],
    registers,
  })
  const searches = new Counter({
    name: 'footfall_gateway_searches_total',
    help: 'What became of the searches that came over REST: accepted, duplicate or rejected.',
    labelNames: ['outcome'],
    registers,
  })
  const analyticsEvents = new Counter({
    name: 'footfall_gateway_analytics_events_total',
    help: 'What became of the analytics events that came over REST: accepted, duplicate or rejected.',
    labelNames: ['outcome'],
    registers,
  })
  const rejections = new Counter({
    name: 'footfall_gateway_rejections_total',
    help: 'Interactions, searches and analytics events that came over REST and were rejected.',
    labelNames: ['code'],
    registers,
  })
  const flushEvents = new Histogram({
    name: 'footfall_gateway_flush_events',
    help: 'Events of one flush: the requests that are recorded by one call.',
    buckets: EVENTS,
    registers,
  })
  const flushRequests = new Histogram({
    name: 'footfall_gateway_flush_requests',
    help: 'Requests of one flush.',
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
  const turnedAway = new Counter({
    name: 'footfall_gateway_turned_away_total',
    help: 'Requests that were turned away: no key, a wrong one, too many, or too much waiting.',
    labelNames: ['reason'],
    registers,
  })
  // A rate is right from the first event on only when the counter was there before it.
  for (const outcome of ['accepted', 'duplicate', 'rejected']) {
    interactions.inc({ outcome }, 0)
    searches.inc({ outcome }, 0)
    analyticsEvents.inc({ outcome }, 0)
  }
  for (const outcome of ['recorded', 'unknown']) flushSeconds.zero({ outcome })

  return {
    answered: ({ method, route, status, seconds }) => requestSeconds.observe({ method, route, status }, seconds),
    recorded: (answer, of) => {
      const counter = { interactions, searches, events: analyticsEvents }[of]
      counter.inc({ outcome: 'accepted' }, answer.accepted)
      counter.inc({ outcome: 'duplicate' }, answer.duplicates)
      counter.inc({ outcome: 'rejected' }, answer.rejected.length)
      for (const { code } of answer.rejected) rejections.inc({ code })
    },
    flushed: ({ requests, events, seconds, isRecorded }) => {
      flushEvents.observe(events)
      flushRequests.observe(requests)
      flushSeconds.observe({ outcome: isRecorded ? 'recorded' : 'unknown' }, seconds)
    },
    turnedAway: (reason) => turnedAway.inc({ reason }),
  }
}

export interface WatchedQueue {
  /** Of the queues of those who wait for the outcome, and of those who do not, of each kind; each has the limits. */
  lengths: () => QueueLength[]
  queueEventsMax: number
  queueBytesMax: number
}

/** What waits in the gateway, looked at when it is asked for. */
export function watchQueue(registry: Registry, { lengths, queueEventsMax, queueBytesMax }: WatchedQueue): void {
  const sumOf = (part: keyof QueueLength) => lengths().reduce((sum, length) => sum + length[part], 0)
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `footfall_gateway_${name}`,
      help,
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
  gauge('flushes_in_flight', 'Flushes on their way.', () => sumOf('flushes'))
}
