import type { LogTableName } from '../../src/store/log/month.ts'
import type { Column, ColumnType } from '../../src/workers/parquet-columns.ts'

/** The fields of archived rows by table, as columns of Parquet. The shoppers are first. */
const FIELDS: Readonly<Record<LogTableName, Readonly<Record<string, ColumnType>>>> = {
  interaction: {
    account: 'text',
    session: 'text',
    occurred_at: 'instant',
    event_id: 'text',
    batch_id: 'integer',
    event_type: 'text',
    ref_id: 'text',
    is_category: 'boolean',
    category: 'text',
    brand: 'text',
    sent_at: 'instant',
    metadata: 'json',
  },
  search: {
    account: 'text',
    session: 'text',
    occurred_at: 'instant',
    event_id: 'text',
    batch_id: 'integer',
    normalised_query: 'text',
    product_ids: 'json',
    sent_at: 'instant',
    query: 'text',
  },
  analytics_event: {
    entity: 'text',
    texts: 'json',
    occurred_at: 'instant',
    source_id: 'integer',
    external_ref: 'text',
    status: 'text',
    amount: 'integer',
    currency: 'text',
    processing_ms: 'integer',
    entity_id: 'text',
    payload: 'json',
  },
}

/** A line without personal columns has neither of these. */
const PERSONAL: readonly Column[] = ['personal', 'sealed'].map((name) => ({ name, type: 'text', isLeftOut: true }))

export function columnsOf(table: LogTableName): readonly Column[] {
  return [...Object.entries(FIELDS[table]).map(([name, type]) => ({ name, type })), ...PERSONAL]
}
