import { sql } from 'kysely'
import { instantOf } from '../../contract/fields/time.ts'
import { columnOf, textArrayOf } from '../database/column.ts'
import { type LogTable, sentAtOf } from './log-table.ts'
import { slotBitOf } from './slots.ts'
import type { NewSearch } from '../../admission/search.ts'

/** A list of products is a text, because all rows of a two-dimensional array have the same length. */
function rowsAsTable(rows: readonly NewSearch[]) {
  return sql`
    select * from unnest(
      ${columnOf(rows, (row) => row.index)}::int[], ${columnOf(rows, (row) => instantOf(row.occurredAtMs))}::timestamptz[],
      ${columnOf(rows, (row) => row.eventId)}::uuid[], ${columnOf(rows, (row) => row.query)}::text[],
      ${columnOf(rows, (row) => row.normalisedQuery)}::text[], ${columnOf(rows, (row) => row.accountId)}::text[],
      ${columnOf(rows, (row) => row.sessionId)}::text[], ${columnOf(rows, (row) => textArrayOf(row.productIds))}::text[],
      ${sentAtOf(rows)}::timestamptz[])
      as row(index, occurred_at, event_id, query, normalised_query, account_id, session_id, product_ids, sent_at)`
}

/** Searches are counted together with interactions, and fed to no profile. */
export const SEARCHES: LogTable<NewSearch> = {
  kind: 'search',
  columns: sql.raw('occurred_at, batch_id, event_id, query, normalised_query, account_id, session_id, product_ids, sent_at'),
  rowsAsTable,
  values: (batchId) =>
    sql`given.occurred_at, ${batchId}, given.event_id, given.query, given.normalised_query, given.account_id, given.session_id,
      given.product_ids::text[], given.sent_at`,
  joins: sql``,
  itemJson: sql.raw(`jsonb_strip_nulls(jsonb_build_object(
    'event_id', given.event_id, 'occurred_at', given.occurred_at, 'query', given.query, 'account_id', given.account_id,
    'session_id', given.session_id, 'product_ids', to_jsonb(given.product_ids::text[]), 'sent_at', given.sent_at))::text`),
  productSlots: sql`(select bit_or(${slotBitOf(sql`product_id`)}) from unnest(given.product_ids::text[]) as product_id)`,
  eventsOf: ({ productIds }) => productIds.length,
}
