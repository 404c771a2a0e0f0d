import { Counter, Gauge, type Registry } from 'prom-client'
import type { DeliveryBacklog } from '../../store/alerts/delivery.ts'
import { throttled } from './throttle.ts'

/** Measures the pending deliveries of alerts at each scrape. A metric is absent while PostgreSQL does not answer. */
export function alertDeliveryMetrics(registry: Registry, backlog: () => Promise<DeliveryBacklog>): void {
  const registers = [registry]
  const failures = new Counter({
    name: 'footfall_alert_deliveries_scrape_errors_total',
    help: 'Failed queries of the pending deliveries of alerts.',
    registers,
  })
  const throttledBacklog = throttled(backlog, () => failures.inc())
  const gauge = (name: string, help: string, valueOf: (backlog: DeliveryBacklog) => number) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const answer = await throttledBacklog.ask()
        if (answer === undefined) this.remove()
        else this.set(valueOf(answer))
      },
    })
  gauge(
    'footfall_alert_deliveries_pending',
    'Deliveries of alerts that their receivers have not taken yet, without those that were given up.',
    ({ pending }) => pending,
  )
  gauge(
    'footfall_alert_deliveries_oldest_seconds',
    'Age of the oldest pending delivery, since its crossing or its replay; 0 when none is pending.',
    ({ oldestSeconds }) => oldestSeconds ?? 0,
  )
}
