import type { Registry } from 'prom-client'
import type { DeliveryBacklog } from '../../store/alerts/delivery.ts'
import { answerGauges } from './answer-gauges.ts'

/** Measures the pending deliveries of alerts at each scrape. A metric is absent while PostgreSQL does not answer. */
export function alertDeliveryMetrics(registry: Registry, backlog: () => Promise<DeliveryBacklog>): void {
  const gauge = answerGauges(registry, backlog, {
    name: 'footfall_alert_deliveries_scrape_errors_total',
    help: 'Failed queries of the pending deliveries of alerts.',
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
