import type { Tag } from '../http/openapi.ts'
import { aboutRoutes } from './about.ts'
import { alertDeliveryRoutes } from './alert-deliveries.ts'
import { alertRoutes, ALERTS_TAG } from './alerts.ts'
import { auditRoutes } from './audit.ts'
import { backlogRoutes } from './backlog.ts'
import { CATALOG_TAG, catalogRoutes } from './catalog.ts'
import { archiveRoutes } from './archives.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'
import { docsRoutes } from './docs.ts'
import { erasureRoutes } from './erasures.ts'
import { eventRoutes } from './event.ts'
import { eventTypeRoutes } from './event-types.ts'
import { explanationRoutes } from './explanation.ts'
import { ingestRoutes } from './ingest.ts'
import { invocationRoutes } from './invocations.ts'
import { INTERACTIONS_TAG, interactionRoutes } from './interactions.ts'
import { kafkaRoutes } from './kafka.ts'
import { pageRoutes } from './page.ts'
import { exportRoutes } from './exports.ts'
import { interactionLogRoutes } from './interaction-log.ts'
import { ORDERS_TAG, paymentRoutes } from './payments.ts'
import { popularRoutes } from './popular.ts'
import { POPULARITY_TAG, popularityRoutes } from './popularity.ts'
import { preferencesRoutes } from './preferences.ts'
import { PROCESS_TAG, processRoutes } from './process.ts'
import { productKindRoutes } from './product-kinds.ts'
import { productSearchRoutes } from './product-search.ts'
import { productMetricsRoutes } from './product-metrics.ts'
import { recommendationRoutes } from './recommendations.ts'
import { recomputationRoutes } from './recomputations.ts'
import { rejectedReplayRoutes } from './rejected-replays.ts'
import { rejectedRoutes } from './rejected.ts'
import { REPORTS_TAG, reportRoutes } from './reports.ts'
import { recommendationMetricsRoutes } from './recommendation-metrics.ts'
import { RECOMMENDATIONS_TAG, rerankRoutes } from './rerank.ts'
import { sessionRoutes } from './session.ts'
import { sessionListRoutes } from './sessions.ts'
import { KEYS_TAG, keyRoutes } from './keys.ts'
import { scheduleRoutes } from './schedules.ts'
import { SEARCH_TAG, searchRoutes } from './search.ts'
import { similarRoutes } from './similar.ts'
import { VERIFICATION_TAG, verificationRoutes } from './verifications.ts'
import { SIMILARITY_TAG, similarityRoutes } from './similarity.ts'
import { similaritySettingsRoutes } from './similarity-settings.ts'
import { shopperMergeRoutes } from './shopper-merge.ts'
import { SELLERS_TAG, sellerRoutes } from './sellers.ts'
import { seriesRoutes } from './series.ts'
import { SHOPPERS_TAG, shopperRoutes } from './shoppers.ts'

/** Every route of the gateway, in the order of /openapi.json. */
export const ROUTES: readonly ((deps: RouteDeps) => RoutePlugin)[] = [
  interactionRoutes,
  interactionLogRoutes,
  eventRoutes,
  searchRoutes,
  popularityRoutes,
  explanationRoutes,
  popularRoutes,
  seriesRoutes,
  eventTypeRoutes,
  preferencesRoutes,
  shopperMergeRoutes,
  shopperRoutes,
  similarRoutes,
  recommendationRoutes,
  rerankRoutes,
  recommendationMetricsRoutes,
  erasureRoutes,
  exportRoutes,
  sellerRoutes,
  rejectedRoutes,
  rejectedReplayRoutes,
  catalogRoutes,
  productSearchRoutes,
  productKindRoutes,
  alertRoutes,
  alertDeliveryRoutes,
  productMetricsRoutes,
  paymentRoutes,
  reportRoutes,
  auditRoutes,
  recomputationRoutes,
  similarityRoutes,
  similaritySettingsRoutes,
  verificationRoutes,
  scheduleRoutes,
  invocationRoutes,
  kafkaRoutes,
  archiveRoutes,
  backlogRoutes,
  ingestRoutes,
  aboutRoutes,
  keyRoutes,
  sessionListRoutes,
  sessionRoutes,
  processRoutes,
  docsRoutes,
  pageRoutes,
]

/** The groups of operations, in the order in which /docs and /api show them. */
export const TAGS: readonly Tag[] = [
  INTERACTIONS_TAG,
  SEARCH_TAG,
  ORDERS_TAG,
  POPULARITY_TAG,
  SHOPPERS_TAG,
  SIMILARITY_TAG,
  RECOMMENDATIONS_TAG,
  SELLERS_TAG,
  REPORTS_TAG,
  CATALOG_TAG,
  ALERTS_TAG,
  VERIFICATION_TAG,
  KEYS_TAG,
  PROCESS_TAG,
]
