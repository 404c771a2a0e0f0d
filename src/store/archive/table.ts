import { sql } from 'kysely'
import type { LogTableName } from '../log/month.ts'
import { PROVIDERS } from '../payments/providers.ts'
import { textIdOf } from './shopper-key.ts'

type Sql = ReturnType<typeof sql>

/** A name of a shopper in an archived row, in the place of a column of the log. */
export interface ShopperName {
  /** The column of the log. */
  column: string
  /** The field of the archived row, which is no column, so that a row without its shopper is read back without it. */
  field: string
  /** The shopper of a row `i`; null where it has none, or where an erasure keeps it. */
  shopperId: Sql
}

/** How the rows of a table of the log are archived. Expressions are about a row `i` of the table. */
export interface ArchivedTable {
  /** The primary key, in the order of the rows. */
  key: readonly { column: string; type: 'timestamptz' | 'uuid' | 'integer' | 'text' }[]
  /** Whom the row is about. The key of the first one that a row has encrypts its personal columns. */
  names: readonly ShopperName[]
  /** An array of the ids of texts, each of which may be the id of a person: their keys encrypt the personal columns too. */
  texts?: Sql
  /** What is archived as it is: what an erasure leaves in the log. */
  fields: Readonly<Record<string, Sql>>
  /** The personal columns, which are encrypted; null where the row has none. */
  personal: Sql
  /** By what the rows are counted in the manifest. */
  countedBy: Sql
}

const column = (name: string): [string, Sql] => [name, sql`i.${sql.ref(name)}`]
const columns = (...names: string[]): Record<string, Sql> => Object.fromEntries(names.map(column))
const shopperIdOf = (kind: string, name: string) => sql`${sql.lit(`${kind}:`)} || i.${sql.ref(name)}`

const SHOPPER: readonly ShopperName[] = [
  { column: 'account_id', field: 'account', shopperId: shopperIdOf('account', 'account_id') },
  { column: 'session_id', field: 'session', shopperId: shopperIdOf('session', 'session_id') },
]

/** An event of a payment is about an order, and stays as it is: the shop's books. */
const IS_OF_PAYMENT = sql`coalesce(i.source_id = any(${PROVIDERS}) and i.payload ? 'payment_ref', false)`

/** No id is longer. */
const ID_CHARACTERS_MAX = 200

/** The texts of a payload: an erasure takes the payload away when one of them is an id of the person. */
const TEXTS_OF_PAYLOAD = sql`array(
  select distinct ${textIdOf(sql`t #>> '{}'`)} from jsonb_path_query(i.payload, 'strict $.** ? (@.type() == "string")') t
  where not ${IS_OF_PAYMENT} and char_length(t #>> '{}') between 1 and ${sql.lit(ID_CHARACTERS_MAX)})`

/** The tables of the log. Every column is in `names`, `fields` or `personal`. */
export const ARCHIVED_TABLES: Readonly<Record<LogTableName, ArchivedTable>> = {
  interaction: {
    key: [
      { column: 'occurred_at', type: 'timestamptz' },
      { column: 'event_id', type: 'uuid' },
    ],
    names: SHOPPER,
    fields: {
      ...columns('occurred_at', 'event_id', 'batch_id', 'event_type', 'ref_id', 'is_category', 'category', 'brand', 'sent_at'),
      metadata: sql`kept_metadata(i.event_type, i.metadata)`,
    },
    personal: sql`
      case when num_nonnulls(i.account_number, i.ip_address, i.user_agent, i.metadata) > 0 then json_build_object(
        'account_number', i.account_number, 'ip_address', i.ip_address, 'user_agent', i.user_agent, 'metadata', i.metadata) end`,
    countedBy: sql`i.event_type`,
  },
  search: {
    key: [
      { column: 'occurred_at', type: 'timestamptz' },
      { column: 'event_id', type: 'uuid' },
    ],
    names: SHOPPER,
    fields: {
      ...columns('occurred_at', 'event_id', 'batch_id', 'normalised_query', 'product_ids', 'sent_at'),
      query: sql`i.normalised_query`,
    },
    personal: sql`case when i.query <> i.normalised_query then json_build_object('query', i.query) end`,
    countedBy: sql`'search'`,
  },
  analytics_event: {
    key: [
      { column: 'occurred_at', type: 'timestamptz' },
      { column: 'source_id', type: 'integer' },
      { column: 'external_ref', type: 'text' },
    ],
    names: [
      {
        column: 'entity_id',
        field: 'entity',
        shopperId: sql`case when not ${IS_OF_PAYMENT} then ${shopperIdOf('entity', 'entity_id')} end`,
      },
    ],
    fields: {
      ...columns('occurred_at', 'source_id', 'external_ref', 'status', 'amount', 'currency', 'processing_ms'),
      entity_id: sql`case when ${IS_OF_PAYMENT} then i.entity_id end`,
      payload: sql`case when ${IS_OF_PAYMENT} then i.payload end`,
    },
    texts: TEXTS_OF_PAYLOAD,
    personal: sql`case when i.payload is not null and not ${IS_OF_PAYMENT} then json_build_object('payload', i.payload) end`,
    countedBy: sql`i.status`,
  },
}
