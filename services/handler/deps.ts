import type { ObjectContext, RetryPolicy } from '@restatedev/restate-sdk'
import type { SendWebhook } from '../../src/external/webhook-sender.ts'
import type { LiveEvents } from '../../src/external/live-events.ts'
import type { Database, Queryable } from '../../src/store/database/connection.ts'
import type { PreferenceSettings } from '../../src/ranking/preferences.ts'
import type { RecommendConfig } from '../../src/ranking/recommend/recommend.ts'
import type { RerankSettings } from '../../src/ranking/recommend/rerank.ts'
import type { Privacy } from '../../src/admission/privacy.ts'
import type { MetricHistory } from '../../src/contract/metric-history.ts'
import type { KindWith } from '../../src/contract/kinds.ts'
import type { ArchiveMonth } from '../../src/store/log/retention.ts'
import type { LostFound } from '../../src/store/log/timeline.ts'
import type { Tombstones } from '../../src/store/log/tombstone.ts'
import type { VersionSettings } from '../../src/ranking/similarity/version-settings.ts'
import type { VersionJob } from '../../src/store/similarity/make-version.ts'
import type { ContextSettings } from '../../src/ranking/shopper-context.ts'
import type { ServiceObserver } from './observer.ts'
import type { WaitingCalls } from './waiting-calls.ts'

/** The dependencies of every service. */
export interface Deps {
  /** For recording and reads. */
  db: Database
  /** For counting and other work without a waiting caller. A pool of its own, because waits for locks must not stop recording. */
  background: Database
  /** For recording wide batches: their statements are about many months, and would otherwise take every processor. */
  recordingWide: Readonly<Record<KindWith<'isLogged'>, OneAtATime>>
  /** For counting and feeding them. */
  countingWide: OneAtATime
  /** While at most so many events wait, a transaction counts in all free lanes; by default as `takeWaiting` says. */
  lightEvents?: number
  /** What waits for PostgreSQL in places in Restate. */
  waitingCalls: WaitingCalls
  /** How often Restate retries a failing handler before it pauses the call. */
  retryPolicy: RetryPolicy & RetryLimits
  /** What is removed from an event before it is stored. */
  privacy: Privacy
  retention: RetentionSettings
  /** Archives a month of the log before it is dropped; undefined when months are dropped without. */
  archive: ArchiveMonth | undefined
  /** Archives the metrics of the catalog unless those of the day are there (`services/archive/archive-metrics.ts`); undefined when they are not archived. */
  archiveMetrics: ((nowMs: number) => Promise<boolean>) | undefined
  /** Knows which shoppers were erased. */
  tombstones: Tombstones
  /** Forgets shoppers in what is kept outside of the database. */
  forget: (shopperIds: readonly string[]) => Promise<void>
  /** Live events that every process reaches; undefined where each gateway keeps its own. */
  sharedEvents: LiveEvents | undefined
  /** What the context of a shopper is. */
  context: ContextSettings
  /** How long the items of a pending payment count as pending. */
  pendingDays: number
  preferences: PreferenceSettings
  /** The currency of prices in records of Kafka. */
  currency: string
  /** What metrics of the catalog were, where METRICS_STORE says; in PostgreSQL, by this connection. */
  metricHistory: (db: Queryable) => MetricHistory
  similarity: SimilarityDeps
  /** The hour of UTC from which on every number is verified, once a day; undefined for never. */
  verifyHour: number | undefined
  alerts: AlertDeps
  recommend: RecommendConfig
  /** How old lists of popular products may be that recommendations share. */
  popularCacheMs: number
  rerank: RerankSettings
  /** Whether impressions of recommendations are recorded. */
  recordsImpressions: boolean
  /** How long Restate keeps the bodies of calls that record; 0 keeps none. */
  journalMinutes: number
  /** The calls that Restate completed in the last hour and PostgreSQL lacks; undefined where Restate's admin port is not known. */
  findLostCalls: (() => Promise<LostFound>) | undefined
  /** The tokens of operators: none, one, or two while it changes. Without one, every caller may do what operators may. */
  operatorTokens: readonly string[]
  /** The periodic tasks by name: TASKS, or those of a test. */
  tasks: Readonly<Record<string, Task>>
  observer: ServiceObserver
}

/** How alerts are delivered. */
export interface AlertDeps {
  /** Whether alerts may be sent to this machine and to private networks. */
  allowsPrivateTargets: boolean
  send: SendWebhook
}

/** How versions of similar products are made. */
export interface SimilarityDeps {
  /** Its bounds. Its ranking settings are those in force. */
  settings: VersionSettings
  /** How often a version is made without being asked for; 0 for never. */
  everyHours: number
  /** What its rows may take in the memory of the process. */
  bytesMax: number
  /** Starts the threads that compute a version. */
  startJob: (settings: VersionSettings) => VersionJob
}

/** Runs work when no other work of its kind runs in this process. Rejects when its turn does not come in time; then it never runs. */
export type OneAtATime = <T>(work: () => Promise<T>) => Promise<T>

/** Intervals in milliseconds. The interval doubles with each attempt. */
export interface RetryLimits {
  initialInterval: number
  maxInterval: number
  maxAttempts: number
}

/** In days; undefined keeps for ever. */
export interface RetentionSettings {
  /** How long the log keeps events. */
  retentionDays: number | undefined
  /** How long counts per hour are kept before they become counts per day. */
  rollUpAfterDays: number | undefined
  /** How long rejected events are kept. */
  rejectedDays: number
  /** How long webhooks are kept that an adapter ignored; 0 keeps none. */
  ignoredWebhookDays: number
  /** How long impressions of recommendations are kept. */
  impressionDays: number
  /** How long deliveries of alerts are kept after their end. */
  deliveryDays: number
}

/** Periodic work. */
export interface Task {
  /** In the table of the documentation, e.g. "sends on batches that were left behind". */
  description: string
  everyMs: number
  /** A task that is off is not scheduled. */
  isOn: (retention: RetentionSettings) => boolean
  /** The work of a slot (in ms since 1970). An attempt ends with the error of a step, and the next one begins from the start. */
  run: (deps: Deps, ctx: ObjectContext, slot: number) => Promise<void>
}
