/**
 * Where Citus keeps a table: `reference` whole on every node, `distributed` in shards by the hash of a column, `local` on the coordinator.
 * A statement may join shards of one group by the column that they are distributed by, and with reference tables. So a table that a
 * statement joins with a distributed one is a reference table or in its group.
 */
export type Placement =
  | { table: string; as: 'reference'; why: string }
  | { table: string; as: 'local'; why: string }
  | { table: string; as: 'distributed'; by: string; group: ShardGroup; why: string }

/** Tables whose shards with the same values are on the same node. */
export type ShardGroup = 'product' | 'shopper' | 'event' | 'reference of a source'

const reference = (table: string, why: string): Placement => ({ table, as: 'reference', why })
const local = (table: string, why: string): Placement => ({ table, as: 'local', why })
const distributed = (table: string, by: string, group: ShardGroup, why: string): Placement => ({
  ...{ table, as: 'distributed', by, group, why },
})

/**
 * Every table of sql/, in an order in which Citus accepts the foreign keys: a table comes after those that it refers to. The months of the log go with their
 * table. Restored months are not here, because they are made later.
 */
export const PLACEMENTS: readonly Placement[] = [
  reference('event_type', 'counting joins it with cells'),
  reference('weight_table', 'weights refer to it'),
  reference('weight', 'counting joins it with cells'),
  reference('popularity_rules', 'counting joins it with the log and with cells'),
  reference('log_horizon', 'recording and the proof compare the log with it'),
  reference('interaction_batch', 'the proof joins it with the log; recording adds one row for each call'),
  reference('rejected_interaction', 'it refers to batches'),
  reference('catalog.product', 'recording, lists and dashboards join it with the log and with popularity'),

  distributed('interaction', 'event_id', 'event', 'the log is most of the data; an event is found by its id'),
  distributed('search', 'event_id', 'event', 'like interactions'),
  distributed('product_hour', 'product_id', 'product', 'counting spreads over all products'),
  distributed('product_day', 'product_id', 'product', 'the days of the same products'),
  distributed('product_popularity', 'product_id', 'product', 'lists join it with hours by the product'),
  distributed('product_rating', 'product_id', 'product', 'dashboards read it by product'),
  distributed('product_rising', 'product_id', 'product', 'lists join it with popularity by the product'),
  distributed('shopper_product', 'shopper_id', 'shopper', 'profiles are read and fed by shopper'),
  distributed('shopper_recent', 'shopper_id', 'shopper', 'recent events are read and fed by shopper'),
  distributed('analytics_event', 'external_ref', 'reference of a source', 'a part of the log, found by its reference'),
  distributed('analytics_event_key', 'external_ref', 'reference of a source', 'its keys are those of the events, for ever'),

  reference('product_rising_run', 'one row, read with the products that it is about'),
  reference('recent_waiting', 'few rows, written by older releases alone'),
  reference('recent_progress', 'one row, compared with the horizon'),
  reference('shopper_redirect', 'attribution and the proof join it with the log'),
  reference('impression', 'attribution joins it with the log by other columns than the id of an event'),
  reference('impression_day', 'it is written by the statement that records impressions'),
  reference('ingest_call', 'the statement that records a call claims it'),
  reference('ingest_delta', 'the statement that records a call adds to it'),
  reference('ingest_hour', 'the proof joins it with the log'),
  reference('recorded_call', 'the statement that records a call writes it'),

  reference('similarity_version', 'the proof joins it with the log'),
  reference('similarity_current', 'read with the version'),
  reference('similarity_product', 'the proof joins it with the log'),
  reference('similarity_row', 'the proof joins rows with the rows of their neighbours'),
  reference('similarity_run', 'few rows'),
  reference('similarity_settings', 'few rows'),

  reference('catalog.product_search', 'the statement that stores products writes it, and lists join it with popularity'),
  reference('catalog.product_search_fill', 'one row, compared with the products of the search'),
  reference('product_metric_setting', 'the statement that stores products reads it'),
  reference('product_metric', 'few rows, added up with their deltas'),
  reference('product_metric_delta', 'the statement that stores products writes it'),
  reference('product_metric_change', 'folding writes it'),
  reference('product_metric_history', 'few rows'),
  reference('low_stock_crossing', 'the statement that stores products writes it'),
  reference('product_tie_rule', 'the statement that stores products reads it'),
  reference('alert', 'crossings of stock join it with products'),
  reference('alert_subject', 'crossings of stock write it'),
  reference('alert_crossing', 'crossings of stock write it'),
  reference('kafka_offset', 'the statement that stores products moves it'),

  reference('event_source', 'reports join it with the events of sources'),
  reference('payment_callback', 'it has two unique keys without a common column; attribution joins it with the log'),
  reference('sale_line', 'a line may have no seller; attribution joins it with the log'),
  reference('seller_day', 'the statement that adds lines writes it'),
  reference('seller_pending', 'the transaction of payments writes it'),
  reference('seller_pending_day', 'the transaction of payments writes it'),
  reference('ledger_rule', 'recording payments reads it with the horizon'),
  reference('report_definition', 'windows refer to it'),
  reference('aggregate_window', 'the statement that records analytics events marks a day for each window'),
  reference('recompute_run', 'compared with the buckets of reports'),
  reference('report_bucket', 'the proof compares the snapshots of built buckets with the log'),
  reference('metric_snapshot', 'few rows, read by report, and compared with the log'),
  reference('dirty_mark', 'the statement that records analytics events writes it'),

  reference('shopper_tombstone', 'recording compares its number with that of the call'),
  reference('erasure_run', 'erasing joins it with the log'),
  reference('erasure_shopper', 'erasing joins it with the log'),
  reference('erasure_event', 'erasing joins it with the log'),
  reference('erasure_count', 'it refers to runs'),
  reference('person_export', 'few rows'),
  reference('archive_shopper', 'archiving joins it with the log'),
  reference('archive_identity', 'one row'),
  reference('archive_part', 'few rows'),
  reference('archived_month', 'few rows'),
  reference('restored_month', 'few rows'),
  reference('restored_part', 'few rows'),
  reference('verification_run', 'few rows'),
  reference('replay_run', 'few rows'),

  local('migration', 'migrate reads and writes it on the coordinator'),
  local('database_timeline', 'it says on which timeline the coordinator is'),
  local('audit_entry', 'a trigger keeps its rows as they are, also from a superuser'),
  local('api_key', 'functions make keys and lock the table; no statement joins it with another table of the shop'),
  local('access.signing_key', 'a secret is not copied to every node'),
  local('access.session', 'functions write it together with keys'),
  local('secret.alert_secret', 'a secret is not copied to every node'),
  local('secret.sealing_key', 'a secret is not copied to every node'),
]

/** Triggers of reference and distributed tables, which Citus does not allow, and what is in their place. */
export const REPLACED_TRIGGERS: readonly { trigger: string; on: string; by: string }[] = [
  { trigger: 'interaction_rating', on: 'interaction', by: 'the statement that records interactions' },
  { trigger: 'analytics_event_mark', on: 'analytics_event', by: 'the statement that records analytics events' },
  { trigger: 'product_metrics_insert', on: 'catalog.product', by: 'the statement that stores products' },
  { trigger: 'product_metrics_update', on: 'catalog.product', by: 'the statement that stores products' },
  { trigger: 'product_metrics_delete', on: 'catalog.product', by: 'nothing: no statement deletes products' },
  { trigger: 'product_metrics_truncate', on: 'catalog.product', by: 'nothing: no statement truncates products' },
  { trigger: 'product_search_insert', on: 'catalog.product', by: 'the statement that stores products' },
  { trigger: 'product_search_update', on: 'catalog.product', by: 'the statement that stores products' },
  { trigger: 'product_search_delete', on: 'catalog.product', by: 'nothing: no statement deletes products' },
  { trigger: 'product_search_truncate', on: 'catalog.product', by: 'nothing: no statement truncates products' },
  { trigger: 'product_alerts_after_update', on: 'catalog.product', by: 'cross_stock_alerts, after products were stored' },
  { trigger: 'log_horizon_moves_forward', on: 'log_horizon', by: 'a condition of the statement in move_log_horizon' },
  { trigger: 'roll_up_moves_forward', on: 'popularity_rules', by: 'a condition of the statement that moves the edge' },
  { trigger: 'erasure_shopper_archived', on: 'erasure_shopper', by: 'the statement of the erasure that deletes keys' },
  { trigger: 'interaction_batch_recent', on: 'interaction_batch', by: 'nothing: it is for older releases, which cannot start' },
  { trigger: 'interaction_batch_unaware', on: 'interaction_batch', by: 'nothing: it is for older releases, which cannot start' },
  { trigger: 'shopper_tombstone_required', on: 'shopper_tombstone', by: 'nothing: older releases cannot start already' },
  { trigger: 'payment_callback_rule', on: 'payment_callback', by: 'nothing: it is for older releases, which cannot start' },
  { trigger: 'ledger_rule_force', on: 'ledger_rule', by: 'nothing: the newest rule is in force already' },
  { trigger: 'product_tie_rule', on: 'catalog.product', by: 'nothing: it is for older releases, which cannot start' },
  { trigger: 'product_tie_rule_force', on: 'product_tie_rule', by: 'nothing: the newest rule is in force already' },
]

/** Functions that statements about several nodes call, so every node needs them. */
export const DISTRIBUTED_FUNCTIONS: readonly string[] = [
  'stars_of(text, jsonb)',
  'kept_metadata(text, jsonb)',
  'product_metric_cells(text, text, text, bigint, bigint, text, integer)',
  'catalog.product_words(text, text, text, text, text)',
  'catalog.version_text(text, text, text, text, text, bigint, text, bigint, text, timestamptz)',
]
