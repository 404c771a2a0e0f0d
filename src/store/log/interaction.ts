import { sql } from 'kysely'
import { instantOf } from '../../contract/fields/time.ts'
import { columnOf } from '../database/column.ts'
import { type LogTable, sentAtOf } from './log-table.ts'
import { slotBitOf } from './slots.ts'
import type { NewInteraction } from '../../admission/interaction.ts'

const COLUMNS = sql.raw(`occurred_at, batch_id, account_number, event_id, is_category, event_type, ref_id,
  account_id, session_id, ip_address, user_agent, metadata, category, brand, sent_at`)

/** The values of a row `given` and its product, for COLUMNS. */
function values(batchId: ReturnType<typeof sql>) {
  return sql`given.occurred_at, ${batchId}, given.account_number, given.event_id, given.is_category, given.event_type,
    given.ref_id, given.account_id, given.session_id, given.ip_address, given.user_agent, given.metadata::jsonb,
    product.category, product.brand, given.sent_at`
}

/**
 * The category and brand of each row's product now. The limit makes it one key probe per row, because a plain join could hash the
 * whole catalog. An empty catalog is checked once per statement.
 */
const JOINED_PRODUCT = sql`left join lateral (
    select p.category, p.brand from catalog.product p
    where p.product_id = given.ref_id and not given.is_category and (select exists (select from catalog.product))
    limit 1) product on true`

const ITEM_JSON = sql.raw(`(jsonb_strip_nulls(jsonb_build_object(
    'event_id', given.event_id, 'occurred_at', given.occurred_at, 'account_id', given.account_id,
    'account_number', given.account_number, 'session_id', given.session_id, 'event_type', given.event_type,
    'ref_type', case when given.is_category then 'Category' else 'Product' end, 'ref_id', given.ref_id,
    'user_agent', given.user_agent, 'ip_address', host(given.ip_address), 'sent_at', given.sent_at))
  || case when given.metadata is null then '{}' else jsonb_build_object('metadata', given.metadata::jsonb) end)::text`)

const IS_RATING = sql`event_type in ('rating_low', 'rating_medium', 'rating_high') and not is_category`

const RATED_COLUMNS = sql`occurred_at, event_id, event_type, ref_id, is_category, case when ${IS_RATING} then metadata end as metadata`

/** What the trigger interaction_rating adds. */
const ADDED_RATINGS = sql`
  insert into product_rating (product_id, occurred_at, event_id, stars)
  select ref_id, occurred_at, event_id, stars_of(event_type, metadata) from inserted where ${IS_RATING}
  order by ref_id, occurred_at, event_id
  on conflict do nothing`

function rowsAsTable(rows: readonly NewInteraction[]) {
  const column = (valueOf: (row: NewInteraction) => string | number | boolean | null) => columnOf(rows, valueOf)
  return sql`
    select * from unnest(
      ${column((row) => row.index)}::int[], ${column((row) => instantOf(row.occurredAtMs))}::timestamptz[],
      ${column((row) => row.accountNumber)}::bigint[], ${column((row) => row.eventId)}::uuid[],
      ${column((row) => row.refType === 'Category')}::boolean[], ${column((row) => row.eventType)}::text[],
      ${column((row) => row.refId)}::text[], ${column((row) => row.accountId)}::text[],
      ${column((row) => row.sessionId)}::text[], ${column((row) => row.ipAddress)}::inet[],
      ${column((row) => row.userAgent)}::text[],
      ${column((row) => (row.metadata === undefined ? null : JSON.stringify(row.metadata)))}::text[],
      ${sentAtOf(rows)}::timestamptz[])
      as row(index, occurred_at, account_number, event_id, is_category, event_type, ref_id, account_id, session_id,
        ip_address, user_agent, metadata, sent_at)`
}

export const INTERACTIONS: LogTable<NewInteraction> = {
  kind: 'interaction',
  columns: COLUMNS,
  rowsAsTable,
  values,
  joins: JOINED_PRODUCT,
  itemJson: ITEM_JSON,
  productSlots: sql`case when not given.is_category then ${slotBitOf(sql`given.ref_id`)} end`,
  eventsOf: () => 1,
  added: { columns: RATED_COLUMNS, insert: ADDED_RATINGS },
}
