import type { Deps } from '../../../services/handler/deps.ts'
import { TASKS } from '../../../services/tasks/all.ts'
import { readConfig } from '../../../src/main/config/config.ts'

import { recordsImpressions } from '../../../src/main/config/impressions.ts'
import { privacyOf } from '../../../src/main/config/privacy.ts'
import { waitingLimitsOf } from '../../../src/main/config/capacity.ts'
import { alertsOf } from '../../../src/main/config/alerts.ts'
import { retentionOf } from '../../../src/main/config/retention.ts'
import { postgresHistory } from '../../../src/store/metrics/postgres-history.ts'
import { createTombstones } from '../../../src/store/log/tombstone.ts'
import { recommendSettingsOf } from '../../../src/main/config/recommendations.ts'
import { rerankSettingsOf } from '../../../src/main/config/rerank.ts'
import { contextSettingsOf, preferenceSettingsOf } from '../../../src/main/config/shoppers.ts'
import { similarityOf } from '../../../src/main/config/similarity.ts'
import { createWideWork } from '../../../src/main/endpoint/one-at-a-time.ts'
import { createWaitingCalls } from '../../../src/main/endpoint/waiting-calls.ts'
import { TEST_LANES } from './database.ts'
import { SILENT_OBSERVER } from './silent-observer.ts'

const DEFAULTS = readConfig({})

/** The dependencies of services without their pools, for tests and benches: default settings, quick retries, no observer. */
export const TEST_DEPS: Omit<Deps, 'db' | 'background'> = {
  ...createWideWork({ waitMsMax: 60_000 }),
  // With several lanes, each transaction works in one of them.
  ...(TEST_LANES > 1 && { lightEvents: 0 }),
  waitingCalls: createWaitingCalls(waitingLimitsOf(DEFAULTS)),
  retryPolicy: { initialInterval: 20, maxInterval: 500, exponentiationFactor: 2, maxAttempts: 200, onMaxAttempts: 'pause' },
  privacy: privacyOf(DEFAULTS),
  retention: retentionOf(DEFAULTS),
  archive: undefined,
  archiveMetrics: undefined,
  verifyHour: undefined,
  tombstones: createTombstones(Buffer.from('the key of tests, of 32 characters')),
  forget: async () => undefined,
  sharedEvents: undefined,
  context: contextSettingsOf(DEFAULTS),
  pendingDays: DEFAULTS.PENDING_DAYS,
  preferences: preferenceSettingsOf(DEFAULTS),
  metricHistory: postgresHistory,
  similarity: similarityOf(DEFAULTS),
  alerts: alertsOf({ ALERT_PRIVATE_TARGETS: 'on' }),
  recommend: recommendSettingsOf(DEFAULTS),
  popularCacheMs: 0,
  rerank: rerankSettingsOf(DEFAULTS),
  recordsImpressions: recordsImpressions(DEFAULTS),
  currency: DEFAULTS.DEFAULT_CURRENCY,
  journalMinutes: 0,
  findLostCalls: undefined,
  operatorTokens: [],
  tasks: TASKS,
  observer: SILENT_OBSERVER,
}
