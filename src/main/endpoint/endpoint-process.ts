import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { TASKS } from '../../../services/tasks/all.ts'
import { archiveMetrics } from '../../../services/archive/archive-metrics.ts'
import { archiveMonth } from '../../../services/archive/archive-month.ts'
import { HOUR_MS } from '../../contract/fields/time.ts'
import { connect } from '../../store/database/connection.ts'
import { createTombstones } from '../../store/log/tombstone.ts'
import { checkErasureKey, checkPrepared } from '../database/check-prepared.ts'
import type { Config } from '../config/config.ts'
import { archiveFormatOf, archivesLog, archivesMetrics } from '../config/archive.ts'
import { recordsImpressions } from '../config/impressions.ts'
import { adminUrlOf } from '../config/addresses.ts'
import { alertsOf } from '../config/alerts.ts'
import { retentionOf } from '../config/retention.ts'

import { privacyOf } from '../config/privacy.ts'
import { recommendSettingsOf } from '../config/recommendations.ts'
import { rerankSettingsOf } from '../config/rerank.ts'
import { contextSettingsOf, preferenceSettingsOf } from '../config/shoppers.ts'
import { similarityOf } from '../config/similarity.ts'
import { retryPolicyOf } from '../config/failing.ts'
import { erasureKeyOf } from '../config/erasure-key.ts'
import { waitingLimitsOf } from '../config/capacity.ts'
import { identityKeysOf } from '../config/identity-keys.ts'
import { operatorTokensOf } from '../config/operator-token.ts'
import { openArchive } from '../external/archive.ts'
import { createSharedEvents } from '../external/live-events.ts'
import { openMetricHistory } from '../external/metric-history.ts'
import { liveEventFailures } from '../metrics/live-events.ts'
import { poolMetrics } from '../metrics/pools.ts'
import type { Registry } from '../metrics/registry.ts'
import { handlerTimes } from '../metrics/handler-times.ts'
import { serviceMetrics } from '../metrics/services.ts'
import { databaseUrlOf } from '../database/database-url.ts'
import { compare } from '../reconcile/compare.ts'
import { summaryOf } from '../reconcile/report.ts'
import { releaseName } from '../release/release.ts'
import { createFullDiskWatch } from './full-disk.ts'
import { createWideWork } from './one-at-a-time.ts'
import { createWaitingCalls } from './waiting-calls.ts'
import { TIE_RULE_NAME } from '../../store/catalog/tie-rule.ts'
import { RECORDING_NAME } from '../../store/payments/ledger-rule.ts'
import { giveBackMemory } from '../processes/give-back-memory.ts'
import { serveEndpoint } from './serve-endpoint.ts'
import { startTracing } from '../tracing/start.ts'

/**
 * How long a handler waits for a connection, and a batch of many months for its turn. Long, because Restate retries what gives up, and
 * the retry waits again; each wait is well below the timeouts of an attempt (STEP in services/handler/handler-options.ts).
 */
const TURN_MS_MAX = 60_000
/** Less than the time before SIGKILL: 30 s in Kubernetes, 20 s in docker-compose.yml. */
const DRAIN_MS_MAX = 15_000
const CLOSE_MS_MAX = 1_000

/** @throws StartError when the endpoint cannot start: no database, one of another release, or a missing key. */
export async function checkEndpoint(config: Config): Promise<void> {
  identityKeysOf(config)
  operatorTokensOf(config)
  const url = await databaseUrlOf(config)
  await checkPrepared(url, 'refuse')
  await checkErasureKey(url, erasureKeyOf(config))
}

/**
 * Runs the services for Restate, in this process.
 * @returns a function that stops them: running handlers finish, and new calls go to other processes.
 * @throws StartError as checkEndpoint does.
 */
export async function startEndpointProcess(config: Config, registry: Registry, log: Logger): Promise<() => Promise<void>> {
  const onTraceProblem = (error: unknown) => log.warn({ err: error }, 'traces not sent')
  await checkEndpoint(config)
  const url = await databaseUrlOf(config)
  const tracing = await startTracing(config, 'footfall-endpoint', onTraceProblem)
  const poolObserver = poolMetrics(registry)
  const waiting = waitingLimitsOf(config)
  const pool = (name: string, label: string) =>
    connect({
      url,
      name,
      connectionsMax: config.DATABASE_CONNECTIONS,
      waitMsMax: TURN_MS_MAX,
      stalledWaitersMax: waiting.placesMax,
      onConnectionLost: (error) => log.warn({ err: error.message }, 'database connection lost'),
      observer: { ...poolObserver(label), ...tracing.store },
    })
  const db = pool(`${RECORDING_NAME}, ${TIE_RULE_NAME}`, 'recording')
  const background = pool('footfall background', 'counting')
  const sharedEvents = await createSharedEvents(config, {
    onFailed: liveEventFailures(registry),
    onAway: (error, failed) => log.warn({ err: error, failed }, 'the Redis of SHOPPER_STORE does not answer'),
  })
  const store = archivesLog(config) || archivesMetrics(config) ? await openArchive(config) : undefined
  const history = await openMetricHistory(config)
  const endpoint = await serveEndpoint(
    {
      db,
      background,
      ...createWideWork({ waitMsMax: TURN_MS_MAX }),
      waitingCalls: createWaitingCalls(waiting),
      retryPolicy: retryPolicyOf(config),
      privacy: privacyOf(config),
      retention: retentionOf(config),
      archive:
        store && archivesLog(config)
          ? (table, month) => archiveMonth({ db: background, store, format: archiveFormatOf(config) }, table, month)
          : undefined,
      archiveMetrics: store && archivesMetrics(config) ? (nowMs) => archiveMetrics(background, store, nowMs) : undefined,
      tombstones: createTombstones(erasureKeyOf(config)),
      forget: async (shopperIds) => {
        const isForgotten = sharedEvents === undefined || (await sharedEvents.forget(shopperIds))
        if (!isForgotten) throw new Error('the Redis of SHOPPER_STORE does not answer')
      },
      sharedEvents,
      context: contextSettingsOf(config),
      pendingDays: config.PENDING_DAYS,
      preferences: preferenceSettingsOf(config),
      metricHistory: history.of,
      similarity: similarityOf(config),
      verifyHour: config.VERIFY_HOUR,
      alerts: alertsOf(config),
      recommend: recommendSettingsOf(config),
      popularCacheMs: config.POPULAR_CACHE_MS,
      rerank: rerankSettingsOf(config),
      recordsImpressions: recordsImpressions(config),
      currency: config.DEFAULT_CURRENCY,
      journalMinutes: config.JOURNAL_MINUTES,
      findLostCalls: async () => summaryOf(await compare(adminUrlOf(config), background, HOUR_MS)),
      operatorTokens: operatorTokensOf(config),
      tasks: TASKS,
      observer: serviceMetrics(registry),
    },
    {
      host: config.ENDPOINT_HOST,
      port: config.ENDPOINT_PORT,
      identityKeys: identityKeysOf(config),
      release: await releaseName(),
      log,
      onError: createFullDiskWatch(log),
      hooks: [...tracing.hooks, handlerTimes(registry)],
    },
  )
  log.info({ host: hostname(), port: config.ENDPOINT_PORT }, 'endpoint listens')
  giveBackMemory()
  return async () => {
    await endpoint.drain(DRAIN_MS_MAX)
    store?.close()
    history.close()
    // Does not wait for a statement that waits for a lock, because Restate retries its handler on another process.
    const closed = Promise.all([db.destroy(), background.destroy(), sharedEvents?.stop(), tracing.stop()])
    await Promise.race([closed, sleep(CLOSE_MS_MAX, undefined, { ref: false })])
    log.info('endpoint stopped')
  }
}
