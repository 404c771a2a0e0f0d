import type { FastifyInstance } from 'fastify'
import type { Privacy } from '../../admission/privacy.ts'
import type { StuckInvocationsResponse } from '../../contract/invocation.ts'
import type { KafkaLagResponse } from '../../contract/kafka-lag.ts'
import type { MetricHistory } from '../../contract/metric-history.ts'
import type { PaymentAdapter } from '../../contract/payment-adapter.ts'
import type { ContextSettings } from '../../ranking/shopper-context.ts'
import type { RecommendConfig } from '../../ranking/recommend/recommend.ts'
import type { RerankSettings } from '../../ranking/recommend/rerank.ts'
import type { PreferenceSettings } from '../../ranking/preferences.ts'
import type { Ingress } from '../../ingress/clients.ts'
import type { Queryable } from '../../store/database/connection.ts'
import type { SignChange } from '../../store/access/change.ts'
import type { ServedVersions } from '../../store/similarity/served-versions.ts'
import type { LiveEvents } from '../../external/live-events.ts'
import type { Access } from '../access/access.ts'
import type { AccessBudgets } from '../access/budgets.ts'
import type { EventRate } from '../access/event-rate.ts'
import type { RateLimits } from '../access/rate-limit.ts'
import type { BodyLimits } from '../http/body-budget.ts'
import type { ConnectionLimits } from '../http/connections.ts'
import type { CatalogEntries } from '../caching/catalog-entries.ts'
import type { ReadLineLimits, ReadLines } from '../caching/read-lines.ts'
import type { GatewayObserver } from '../http/observer.ts'
import type { LargeItems } from '../recording/large-items.ts'
import type { Recording } from '../recording/ways.ts'
import type { ReadSource } from '../standbys/read-source.ts'
import type { StandbyState } from '../standbys/standbys.ts'

/** What routes use. It is passed on whole, so that a new route changes neither the server nor the process nor the tests' gateway. */
export interface RouteDeps {
  /** Connections that cannot write, to the primary and to standbys. Reads for callers go through the lines. */
  source: ReadSource
  /** Where reads of the database wait for their turns. */
  lines: ReadLines
  /** Records events. */
  recording: Recording
  /** What shoppers did in the last minutes, as single events told. */
  live: LiveEvents
  /** What metrics of the catalog were, where METRICS_STORE says; in PostgreSQL, by this connection. */
  metricHistory: (db: Queryable) => MetricHistory
  /** What the catalog says about the products of live events. */
  catalogEntries: CatalogEntries
  /** Which products are similar, in the version in force. */
  similarity: ServedVersions
  /** How callers are recognised. */
  access: Access
  /** What callers may do in a minute. */
  budgets: AccessBudgets
  /** Signs changes of keys and sessions. */
  signChange: SignChange
  /** Calls our own services. */
  ingress: Ingress
  /** Judges large bodies. */
  largeItems: LargeItems
  /** Bounds the events of publishable keys. */
  eventRate: EventRate
  paymentWebhooks: PaymentWebhooks
  readiness: () => Promise<Readiness>
  /** Invocations that fail; undefined where the admin port of Restate is not known. */
  stuckInvocations?: (() => Promise<StuckInvocationsResponse>) | undefined
  /** How far the topics of Kafka were read; undefined where Kafka is not read. */
  kafkaLag?: (() => Promise<KafkaLagResponse>) | undefined
  /** The metrics of the gateway, as text for Prometheus. */
  metrics: () => Promise<string>
  observer: GatewayObserver
  settings: GatewaySettings
}

/** Adds the routes of one noun to the server. */
export type RoutePlugin = (app: FastifyInstance) => Promise<void>

export interface GatewaySettings extends ReadLimits {
  /** Whether other machines can reach the gateway: then every request needs a key, from the start. */
  isPublic: boolean
  /** Proxies whose X-Forwarded-For is believed: addresses and networks, separated by commas. */
  trustedProxies: string | undefined
  rateLimits: RateLimits
  bodies: BodyLimits
  connections: ConnectionLimits
  /** The greatest age of the events that a publishable key may send. */
  publishableDaysMax: number
  /** How long the items of a pending payment count as pending. */
  pendingDays: number
  privacy: Privacy
  /** What the context of a shopper is. */
  context: ContextSettings
  preferences: PreferenceSettings
  recommend: RecommendConfig
  rerank: RerankSettings
  /** What rows of similar products may take in memory. */
  similarityBytesMax: number
  /** For so long after a product was shown, what follows counts for the recommendation. */
  attributionHours: number
  /** What the gateway says of itself. */
  about: { version: string; restateUiUrl: string | undefined }
  /** Whether webhooks that an adapter ignores are kept. */
  keepsIgnoredWebhooks: boolean
}

/** How old answers may be, and how many reads run concurrently. */
export interface ReadLimits extends ReadLineLimits {
  /** The greatest age of an answer of the top list; 0 asks the database each time. */
  topCacheMs: number
  /** The same for the lists of popular products. */
  popularCacheMs: number
}

export interface PaymentWebhooks {
  /** Secrets that sign callbacks in Footfall's own form; empty when these are not accepted. */
  secrets: readonly string[]
  adapters: readonly PaymentAdapter[]
}

/** What the consumer of Kafka says of itself. */
export interface KafkaConsumerState {
  status: string
  kafka: boolean
  postgresql: boolean
  waiting_seconds: number
}

/** What is known of the calls that PostgreSQL lost. */
export interface LostCalls {
  timeline: number
  timeline_before: number
  /** null before the first comparison. */
  calls: number | null
  compared_at: string | null
}

/** The parts that the gateway needs for its work; true for each part that answers. */
export interface Readiness {
  postgresql: boolean
  restate: boolean
  endpoint: boolean
  registration: boolean
  /** Tasks that wait for an operator; null when Restate did not answer in time. They do not make the gateway unready. */
  paused_tasks: string[] | null
  /** After a failover or a restore of PostgreSQL, until nothing is missing. It does not make the gateway unready. */
  lost_calls?: LostCalls
  /** Absent where Kafka is not read; null when the consumer does not answer. It does not make the gateway unready. */
  kafka_consumer?: KafkaConsumerState | null
  /** How far the standbys of DATABASE_READ_URL are behind. Reads go to the primary without them. */
  standbys?: StandbyState[]
}
