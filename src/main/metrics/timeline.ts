import type { Registry } from 'prom-client'
import type { TimelineState } from '../../store/log/timeline.ts'
import { answerGauges } from './answer-gauges.ts'

/** Measures at each scrape whether PostgreSQL is on another timeline. A metric is absent while PostgreSQL does not answer. */
export function timelineMetrics(registry: Registry, state: () => Promise<TimelineState>): void {
  const gauge = answerGauges(registry, state, {
    name: 'footfall_timeline_scrape_errors_total',
    help: 'Failed queries of the timeline of PostgreSQL.',
  })
  gauge(
    'footfall_timeline_changed',
    '1 after a failover or a restore of PostgreSQL, until footfall reconcile finds nothing missing; 0 otherwise.',
    ({ isChanged }) => Number(isChanged),
  )
  gauge(
    'footfall_lost_calls',
    'Calls that Restate has completed and PostgreSQL lacks, as found after its timeline changed; 0 otherwise.',
    ({ found }) => found?.calls ?? 0,
  )
}
