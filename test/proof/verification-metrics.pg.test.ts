import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { expect } from 'vitest'
import { verificationMetrics } from '../../src/main/metrics/verification.ts'
import { latestVerification } from '../../src/store/proof/run-list.ts'
import { beginVerification, completeVerification, requestVerification } from '../../src/store/proof/run-machine.ts'
import { valueOf } from '../harness/clients/prometheus.ts'
import { pgTest as test } from '../harness/fixtures.ts'

const METRICS = /^footfall_verification_(age_seconds|drift_cells) /m

test('the age and the drift of the last completed verification are metrics', async ({ db }) => {
  const scrape = () => {
    const registry = new Registry()
    verificationMetrics(registry, () => latestVerification(db))
    return registry.metrics()
  }
  expect(await scrape()).not.toMatch(METRICS)
  const id = randomUUID()
  await requestVerification(db, id, { actor: 'ada' })
  await beginVerification(db, id)
  expect(await scrape()).not.toMatch(METRICS)
  await completeVerification(db, id, {
    ...{ drift: [], drift_count: 3, cells: 7, events: 2, analytics_events: 0, horizon: '2000-01-01T00:00:00.000Z' },
  })
  await sql`update verification_run set finished_at = now() - interval '100 s'`.execute(db)
  const text = await scrape()
  expect(valueOf(text, 'footfall_verification_drift_cells')).toBe(3)
  expect(valueOf(text, 'footfall_verification_age_seconds')).toBeCloseTo(100, -1)
})

test('while PostgreSQL does not answer, a scrape has neither, and counts a failure', async () => {
  const registry = new Registry()
  verificationMetrics(registry, () => Promise.reject(new Error('away')))
  expect(await registry.metrics()).not.toMatch(METRICS)
  expect(valueOf(await registry.metrics(), 'footfall_verification_scrape_errors_total')).toBe(1)
})
