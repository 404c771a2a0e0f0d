import type { Registry } from 'prom-client'
import type { LatestVerification } from '../../contract/verification-run.ts'
import { answerGauges } from './answer-gauges.ts'

/** Measures the last completed verification at each scrape. A metric is absent before the first one, and while PostgreSQL does not answer. */
export function verificationMetrics(registry: Registry, latest: () => Promise<LatestVerification | undefined>): void {
  const gauge = answerGauges(registry, latest, {
    name: 'footfall_verification_scrape_errors_total',
    help: 'Failed queries of the last completed verification.',
  })
  gauge(
    'footfall_verification_age_seconds',
    'Time since the end of the last completed verification; absent before the first one.',
    ({ finished_at: finishedAt }) => Math.max(0, Date.now() - Date.parse(finishedAt)) / 1_000,
  )
  gauge(
    'footfall_verification_drift_cells',
    'Cells that differed from the log in the last completed verification; absent before the first one.',
    ({ drift_count: driftCount }) => driftCount,
  )
}
