import { Counter, Gauge, type Registry } from 'prom-client'
import type { ProcessEvents } from '../../external/process-events.ts'

/** Counts failures of the Redis with live events. @returns what reports them. */
export function liveEventFailures(registry: Registry): () => void {
  const failed = new Counter({
    name: 'footfall_live_events_failed_total',
    help: 'Calls of the Redis of SHOPPER_STORE that failed, and connections that were lost. No event is lost by it: it shows when PostgreSQL has it.',
    registers: [registry],
  })
  return () => failed.inc()
}

/** Measures live events in the memory of a process. */
export function watchLiveEvents(registry: Registry, events: Pick<ProcessEvents, 'size'>): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  gauge('footfall_live_shoppers', 'Shoppers of whom the gateway has live events in its memory.', () => events.size().shoppers)
  gauge('footfall_live_events_bytes', 'What these live events take, estimated.', () => events.size().bytes)
}
