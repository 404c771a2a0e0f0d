import { Counter, Gauge, type Registry } from 'prom-client'
import type { ProcessEvents } from '../../external/process-events.ts'

/** Makes metrics of live events. @returns what reports to them. */
export function liveEventMetrics(registry: Registry) {
  const registers = [registry]
  const failed = new Counter({
    name: 'footfall_live_events_failed_total',
    help: 'Calls of the Redis of SHOPPER_STORE that failed, and connections that were lost. No event is lost by it: it shows when PostgreSQL has it.',
    registers,
  })
  return {
    failed: () => failed.inc(),
    watch: (events: Pick<ProcessEvents, 'size'>) => {
      const gauge = (name: string, help: string, read: () => number) =>
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(read())
          },
        })
      gauge('footfall_live_shoppers', 'Shoppers of whom this process has live events.', () => events.size().shoppers)
      gauge('footfall_live_events_bytes', 'What the live events of this process take, estimated.', () => events.size().bytes)
    },
  }
}
