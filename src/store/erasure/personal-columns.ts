/** How an erasure finds the rows of a person. */
type FoundBy = 'shopper' | 'event' | 'entity' | 'text' | 'run'

/** What an erasure makes of a column, in words for the documentation. */
interface PersonalColumn {
  foundBy: FoundBy
  becomes: string
}

const PSEUDONYM = 'the pseudonym of the shopper'
const NOTHING = 'nothing'

/**
 * Every column that may say something of a person, by table. The part of an erasure that changes it is in next-part.ts. A test fails for a text, JSON,
 * address or byte column of the schema that is neither here nor in OTHER_COLUMNS.
 */
export const PERSONAL_COLUMNS: Readonly<Record<string, Readonly<Record<string, PersonalColumn>>>> = {
  interaction: {
    account_id: { foundBy: 'shopper', becomes: PSEUDONYM },
    session_id: { foundBy: 'shopper', becomes: `${PSEUDONYM}; nothing for a session that was not merged into the account` },
    account_number: { foundBy: 'event', becomes: NOTHING },
    ip_address: { foundBy: 'event', becomes: NOTHING },
    user_agent: { foundBy: 'event', becomes: NOTHING },
    metadata: {
      foundBy: 'event',
      becomes:
        'the stars of a rating, the query of a click on a result, the recommendation that it follows from; otherwise nothing',
    },
  },
  search: {
    account_id: { foundBy: 'shopper', becomes: PSEUDONYM },
    session_id: { foundBy: 'shopper', becomes: `${PSEUDONYM}; nothing for a session that was not merged into the account` },
    query: { foundBy: 'event', becomes: 'the normalised query' },
  },
  analytics_event: {
    entity_id: { foundBy: 'entity', becomes: PSEUDONYM },
    payload: { foundBy: 'text', becomes: NOTHING },
  },
  metric_snapshot: { dimension_value: { foundBy: 'entity', becomes: PSEUDONYM } },
  payment_callback: {
    account_id: { foundBy: 'shopper', becomes: PSEUDONYM },
    session_id: { foundBy: 'shopper', becomes: `${PSEUDONYM}; nothing for a session that was not merged into the account` },
  },
  shopper_product: { shopper_id: { foundBy: 'shopper', becomes: PSEUDONYM } },
  shopper_recent: { shopper_id: { foundBy: 'shopper', becomes: `${PSEUDONYM}; no row from before the horizon` } },
  shopper_redirect: {
    session_id: { foundBy: 'shopper', becomes: PSEUDONYM },
    account_id: { foundBy: 'shopper', becomes: PSEUDONYM },
  },
  impression: { shopper_id: { foundBy: 'shopper', becomes: PSEUDONYM } },
  rejected_interaction: {
    item: {
      foundBy: 'text',
      becomes: 'the fields that a replay needs, with the pseudonym; nothing for a webhook or a text that is no JSON',
    },
    message: { foundBy: 'text', becomes: 'a sentence without the id' },
  },
  archive_shopper: {
    shopper_id: { foundBy: 'shopper', becomes: 'no row: what the archive has of the shopper then leads to no person' },
    key: { foundBy: 'shopper', becomes: 'no row' },
  },
  replay_run: { correction: { foundBy: 'run', becomes: 'nothing when the run ends' } },
  erasure_run: { shopper_id: { foundBy: 'run', becomes: 'nothing when the run ends' } },
  erasure_shopper: {
    shopper_id: { foundBy: 'run', becomes: 'no row when the run ends' },
    pseudonym: { foundBy: 'run', becomes: 'no row when the run ends' },
  },
}

/** Columns that stay as they are, each group for one reason. Names are `table.column`, or `table.*` for all columns of a table. */
export const OTHER_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  'about products, sellers and reports, which no person is': [
    'aggregate_window.*',
    ...['category', 'kind', 'mode', 'product_id', 'seller_id'].map((column) => `alert.${column}`),
    'catalog.product.*',
    'catalog.product_search.*',
    'catalog.product_search_fill.*',
    'dirty_mark.*',
    'event_source.*',
    'event_type.*',
    'impression_day.*',
    ...['blend', 'product_ids', 'strategy'].map((column) => `impression.${column}`),
    'low_stock_crossing.*',
    'product_day.*',
    'product_hour.*',
    'product_metric.*',
    'product_metric_change.*',
    'product_metric_delta.*',
    'product_metric_history.*',
    'product_popularity.*',
    'product_rating.*',
    'product_rising.*',
    'report_bucket.*',
    'report_definition.*',
    'seller_day.*',
    'seller_pending.*',
    'seller_pending_day.*',
    // Which products follow each other, and how often: of all shoppers together.
    'similarity_product.*',
    'similarity_row.*',
    'similarity_version.*',
    'weight.*',
    'weight_table.*',
    ...['bucket_window', 'dimension_key', 'metric', 'report_slug'].map((column) => `metric_snapshot.${column}`),
    ...['brand', 'category', 'event_type', 'ref_id'].map((column) => `interaction.${column}`),
    ...['brand', 'category', 'event_type', 'product_id'].map((column) => `shopper_recent.${column}`),
    ...['event_type', 'product_id'].map((column) => `shopper_product.${column}`),
    'search.product_ids',
  ],
  'what other numbers are made of: how often a query was searched': ['search.normalised_query'],
  'of crossings: products, or normalised queries as they stay in the log': [
    'alert_subject.*',
    ...['error', 'facts', 'status', 'subject'].map((column) => `alert_crossing.${column}`),
  ],
  'names of operators and of their keys': [
    'api_key.*',
    'access.session.*',
    'access.signing_key.*',
    ...['made_by', 'name', 'url'].map((column) => `alert.${column}`),
    'secret.alert_secret.*',
    'secret.sealing_key.*',
    'audit_entry.*',
    'recompute_run.*',
    ...['actor', 'code', 'error_message', 'requested_by', 'status'].map((column) => `replay_run.${column}`),
    'similarity_run.*',
    // Of what a verification found, ids of shoppers are left out.
    'verification_run.*',
    'person_export.*',
    'similarity_settings.*',
    ...['actor', 'requested_by', 'error_message', 'status', 'step', 'place'].map((column) => `erasure_run.${column}`),
  ],
  "the provider's and the shop's books: a callback that is sent again must be the same, and a refund must find its sale": [
    ...[
      'provider',
      'callback_id',
      'payment_ref',
      'capture_ref',
      'reverses',
      'order_id',
      'status',
      'currency',
      'items',
      'refused',
    ].map((column) => `payment_callback.${column}`),
    'sale_line.*',
    'analytics_event_key.*',
    ...['currency', 'external_ref', 'status'].map((column) => `analytics_event.${column}`),
  ],
  'the call that brought a batch, by which a repeated attempt finds it': [
    ...['invocation_id', 'body_sha256', 'kind', 'counted_as'].map((column) => `interaction_batch.${column}`),
    ...['code', 'field', 'kind'].map((column) => `rejected_interaction.${column}`),
  ],
  'hashes without the key, and numbers of the erasure itself': ['shopper_tombstone.*', 'erasure_count.*'],
  'of topics: which records were read': ['kafka_offset.*'],
  'of the archive: its parts, and which months were restored': [
    'archive_part.*',
    'archived_month.*',
    'restored_month.*',
    'restored_part.*',
  ],
  'of hours and calls: how many items came, and that a call was recorded': [
    'ingest_call.*',
    'ingest_delta.*',
    'ingest_hour.*',
    'recorded_call.*',
  ],
  'of the database': ['migration.*', 'database_timeline.*'],
}
