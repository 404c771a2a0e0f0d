/** What another TypeScript service needs to call Footfall: descriptors for a typed client, and the schemas behind them. */
export { AboutResponse } from './about.ts'
export {
  Alert,
  ALERTS_MAX,
  ChangeAlert,
  ChangeAlertRequest,
  CreateAlert,
  CreateAlertRequest,
  DeleteAlert,
  RotateSecret,
  RotateSecretRequest,
  SealingKey,
} from './alert.ts'
export { ALERT_KINDS, type AlertKind } from './alert-condition.ts'
export {
  AlertDelivery,
  DELIVERY_STATUSES,
  DeliveriesRequest,
  DeliveriesResponse,
  DeliveryBody,
  type DeliveryStatus,
  ReplayDelivery,
} from './alert-delivery.ts'
export { AnalyticsEvent, EVENT_STATUSES, type EventStatus, RecordEventsRequest } from './analytics-event.ts'
export { AuditEntriesRequest, AuditEntriesResponse, AuditEntry } from './audit-entry.ts'
export { BacklogResponse } from './backlog.ts'
export { ArchivedMonth, ArchivesRequest, ArchivesResponse } from './archived-month.ts'
export { EXPORT_STATUSES, type ExportStatus, ExportsRequest, ExportsResponse, NoteExport, PersonExport } from './person-export.ts'
export { Currency } from './fields/currency.ts'
export {
  ERASURE_STATUSES,
  ERASURE_STEPS,
  ErasureCertificate,
  ErasureRun,
  type ErasureStatus,
  ErasuresRequest,
  ErasuresResponse,
  type ErasureStep,
  LaneErasureRequest,
  StartErasure,
} from './erasure.ts'
export { ErrorBody, type ErrorCode, ProblemBody, STATUS_OF_CODE } from './error.ts'
export { EventType, EventTypesRequest, EventTypesResponse } from './event-type.ts'
export { timeForUuidV7, timeOfUuidV7, uuidV7, uuidV7WithTime } from './fields/event-id.ts'
export { INGEST_KINDS, IngestHour, type IngestKind, IngestOfKind, IngestRequest, IngestResponse } from './ingest.ts'
export { ReplayRun, ReplayRunsResponse, RequestReplayRun } from './replay-run.ts'
export { KafkaLagResponse, KafkaPartition } from './kafka-lag.ts'
export { OPERATOR_TOKEN_HEADER } from './handler.ts'
export { Id, isAddressable, ProductId } from './fields/id.ts'
export { Instant } from './fields/instant.ts'
export {
  BATCH_ITEMS_MAX,
  BODY_BYTES_MAX,
  CreateInteractionRequest,
  CreateInteractionResponse,
  EVENT_TYPE_PATTERN,
  Interaction,
  ItemWarning,
  Metadata,
  METADATA_BYTES_MAX,
  PUBLISHABLE_BODY_BYTES_MAX,
  PUBLISHABLE_ITEMS_MAX,
  RejectedItem,
  SubmittedResponse,
  UnweightedType,
  RecordedOrWaiting,
} from './interaction.ts'
export { InteractionsRequest, InteractionsResponse, LoggedInteraction } from './interaction-log.ts'
export {
  CreateKeyRequest,
  EndedSessionResponse,
  Key,
  KeyResponse,
  KeysRequest,
  KeysResponse,
  NewKey,
  NewKeyResponse,
  type Scope,
  SCOPES,
  Session,
  SessionsRequest,
  SessionsResponse,
} from './key.ts'
export { isStorableJson } from './fields/json.ts'
export { OFFSET_MAX } from './fields/page.ts'
export type { Adapted, AdaptedCallback, Ignored, PaymentAdapter, SignedWebhook, WebhookContext } from './payment-adapter.ts'
export { KeepWebhookRequest, KeepWebhookResponse, KeptWebhook, WEBHOOK_CODES, type WebhookCode } from './payment-webhook.ts'
export {
  CALLBACKS_MAX,
  PAYMENT_ITEMS_MAX,
  PAYMENT_STATUSES,
  PaymentCallback,
  PaymentOrWaiting,
  PaymentsOrWaiting,
  type PaymentStatus,
  QUANTITY_MAX,
  RecordPaymentRequest,
  RecordPaymentResponse,
  RecordPaymentsRequest,
  RecordPaymentsResponse,
  SourceSlug,
  TOTAL_MAX,
  UNIT_PRICE_MAX,
} from './payment.ts'
export {
  INTERACTIONS_MAX,
  type Mode,
  MODES,
  PopularProduct,
  PopularRequest,
  PopularResponse,
  WINDOW_DAYS_MAX,
} from './popular-list.ts'
export { ExplainedType, Explanation, ExplanationResponse } from './explanation.ts'
export { GetPopularityRequest, GetPopularityResponse, Popularity, TopRequest, TopResponse } from './popularity.ts'
export {
  AFFINITIES_MAX,
  Interacted,
  Preferences,
  PreferencesRequest,
  PreferencesResponse,
  Purchased,
  PURCHASES_MAX,
} from './preferences.ts'
export {
  CatalogProduct,
  GetProductRequest,
  GetProductResponse,
  ListedProduct,
  NAME_CHARACTERS_MAX,
  ProductsOrWaiting,
  Product,
  UpsertProductsRequest,
  UpsertProductsResponse,
} from './product.ts'
export { BrandCount, CategoryCount, KindsRequest, BrandsResponse, CategoriesResponse } from './product-kind.ts'
export { SellerSales, SellersRequest, SellersResponse } from './seller-list.ts'
export { FoundProduct, type SearchOrder, SearchProductsRequest, SearchProductsResponse } from './product-search.ts'
export {
  CategoriesMetricsQuery,
  CategoriesMetricsResponse,
  CategoryHistoryResponse,
  CategoryMetrics,
  CategoryMetricsResponse,
  LowStock,
  LowStockHistoryResponse,
  LowStockMetrics,
  LowStockResponse,
  MetricsAtQuery,
  MetricsHistoryQuery,
  MetricsRequest,
  MetricsResponse,
  SellerHistoryResponse,
  SellerMetrics,
  SellerMetricsResponse,
  SellersMetricsQuery,
  SellersMetricsResponse,
} from './product-metrics.ts'
export {
  type Blend,
  BLENDS,
  type CandidateSource,
  CANDIDATE_SOURCES,
  HistoryItem,
  Reasons,
  Recommendation,
  RecommendFromHistoryRequest,
  RecommendRequest,
  RecommendResponse,
  ScoreShare,
  SEEN_RULES,
  type SeenRule,
  STRATEGIES,
  type Strategy,
} from './recommendation.ts'
export {
  ATTRIBUTED_TYPES,
  METRICS_DAYS_MAX,
  RecommendationMetrics,
  RecommendationMetricsRequest,
  RecommendationMetricsResponse,
  RecommendationNumbers,
} from './recommendation-metrics.ts'
export {
  CancelRun,
  RebuildRequest,
  RebuildResponse,
  RecomputeRun,
  RequestRun,
  RUN_KINDS,
  RUN_STATUSES,
  type RunKind,
  RunsRequest,
  type RunStatus,
  StartRun,
} from './recompute-run.ts'
export {
  RERANK_ITEMS_MAX,
  RERANK_PRESETS,
  RerankedItem,
  RerankItem,
  type RerankPreset,
  RerankRequest,
  RerankResponse,
} from './rerank.ts'
export { RecordedBatch } from './recorded-batch.ts'
export {
  Correction,
  REJECTED_KINDS,
  rejectedIdOf,
  RejectedInteraction,
  type RejectedKey,
  rejectedKeyOf,
  type RejectedKind,
  RejectedRequest,
  RejectedResponse,
  ReplayRejectedRequest,
  ReplayRejectedResponse,
} from './rejected.ts'
export {
  type Breakdown,
  BREAKDOWNS,
  REPORT_DAYS_MAX,
  REPORT_SLUGS,
  ReportAnswer,
  ReportDay,
  ReportDefinition,
  ReportResponse,
  ReportRow,
  type ReportSlug,
  ReportsRequest,
  ReportsResponse,
  type ReportWindow,
  RunReportRequest,
  RunReportResponse,
  WINDOWS,
} from './report.ts'
export {
  LastRun,
  LastRunRequest,
  LatestSlot,
  OUTCOMES,
  RunRequest,
  ScheduleRequest,
  SchedulesResponse,
  ScheduleState,
  Slot,
  TASK_NAMES,
  type TaskName,
  TaskRun,
} from './schedule.ts'
export {
  interactionOf,
  normalisedQuery,
  QUERY_CHARACTERS_MAX,
  RecordSearchesRequest,
  Search,
  SEARCH_CLICK,
  SEARCH_IMPRESSION,
  SEARCH_QUERY_FILTERS,
  SearchClick,
  SEARCHES_MAX,
  SearchQueriesRequest,
  SearchQueriesResponse,
  ListedSearchQuery,
  SearchQuery,
  type SearchQueryFilter,
  SHOWN_PRODUCTS_MAX,
} from './search.ts'
export { ProductSeries, SeriesRequest, SeriesResponse } from './series.ts'
export { WeightsInForce, WeightsResponse } from './weights.ts'
export {
  BUCKETS_MAX,
  GRANULARITIES,
  type Granularity,
  SellerDashboardRequest,
  SellerDashboardResponse,
  TOP_PRODUCTS,
} from './seller-dashboard.ts'
export {
  analyticApi,
  catalogApi,
  mergeLaneApi,
  popularityApi,
  recomputeRunApi,
  recorderApi,
  reportWindowApi,
  scheduleApi,
  SERVICE_APIS,
  shopperApi,
  taskApi,
} from './services.ts'
export { LaneMergeRequest, Merge, MergeBody, MergeRequest, MergeResponse, SessionShopperId } from './shopper-merge.ts'
export { ContextAnswer, ContextRequest, ContextResponse, RecentProduct, ShopperContext } from './shopper-context.ts'
export { AppliedRule } from './fields/ranked.ts'
export {
  SIMILAR_KINDS,
  SIMILAR_STRATEGIES,
  type SimilarKind,
  SimilarProduct,
  SimilarRequest,
  SimilarResponse,
  SimilarShare,
  type SimilarStrategy,
} from './similar-product.ts'
export { ShopperId } from './fields/shopper-id.ts'
export { isStorable, storableText } from './fields/text.ts'
export { DAY_MS, EARLIEST_MS, HOUR_MS, instantOf, isTimeZone, millisecondsOf, RANGE_DAYS_DEFAULT } from './fields/time.ts'
export { TrackedEvent, TrackedEventResponse } from './tracked-event.ts'
export {
  LatestVerification,
  RequestVerification,
  VerificationRun,
  VerificationsRequest,
  VerificationsResponse,
} from './verification-run.ts'
export { Drift, VerifyResponse } from './verify.ts'
