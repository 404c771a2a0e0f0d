import { sql } from 'kysely'
import { KINDS } from '../../contract/kinds.ts'
import { type Call, callIdOf } from '../log/call.ts'
import { INTERACTIONS } from '../log/interaction.ts'
import type { LogTable } from '../log/log-table.ts'
import { SEARCHES } from '../log/search.ts'
import { PRODUCT_JSON } from '../catalog/catalog-product.ts'
import type { Queryable } from '../database/connection.ts'
import { utc } from '../database/json.ts'
import { onlyRow } from '../database/rows.ts'
import { callbackOf, PAYMENT_COLUMNS, paymentOf, type StoredPayment } from '../payments/payment-callback.ts'

/*
 * What another PostgreSQL has of calls that this one lost: the old primary, or a restored copy. It is only read.
 */

/** A call of another database. */
export interface OtherCall extends Call {
  /** The batch of a call of interactions or searches; undefined for a call without one. */
  batch: { batchId: string; kind: 'interaction' | 'search' } | undefined
}

/** What a call brought, as it is sent again. */
export interface OtherItems {
  handler: 'CreateInteraction' | 'RecordSearches' | 'RecordPayments' | 'RecordEvents' | 'UpsertProducts'
  /** The name of the list in the request. */
  list: string
  /** JSON texts. */
  items: string[]
}

const PAGE = 1_000

/** When another database was written last. */
export async function newestCallMs(other: Queryable): Promise<number> {
  const result = await sql<{ newest: Date | null }>`
    select greatest((select received_at from interaction_batch order by batch_id desc limit 1),
      (select max(recorded_at) from recorded_call)) as newest`.execute(other)
  return onlyRow(result).newest?.getTime() ?? 0
}

/** The calls that another database recorded since then, in pages. What came from a topic of Kafka is no call: its offsets went back too. */
export async function* otherCalls(other: Queryable, sinceMs: number): AsyncGenerator<OtherCall[]> {
  const since = new Date(sinceMs).toISOString()
  for (let before = '9223372036854775807'; ;) {
    // From the newest on, because batches have no index of their times.
    const { rows } = await sql<Call & { batchId: string; kind: 'interaction' | 'search'; isRecent: boolean; isOfCall: boolean }>`
      select batch_id as "batchId", invocation_id as "invocationId", body_sha256 as "bodySha256", coalesce(kind, 'interaction') as kind,
        received_at >= ${since}::timestamptz as "isRecent",
        -- Interactions that follow from payments are counted with these.
        invocation_id like 'inv\\_%' and items is not null as "isOfCall"
      from interaction_batch where batch_id < ${before}::bigint order by batch_id desc limit ${PAGE}`.execute(other)
    const calls = rows.filter(({ isRecent, isOfCall }) => isRecent && isOfCall)
    yield calls.map(({ invocationId, bodySha256, batchId, kind }) => ({ invocationId, bodySha256, batch: { batchId, kind } }))
    if (rows.length < PAGE || rows.every(({ isRecent }) => !isRecent)) break
    before = rows.at(-1)!.batchId
  }
  for (let after = { recordedAt: since, invocationId: '' }; ;) {
    const { rows } = await sql<Call & { recordedAt: string }>`
      select invocation_id as "invocationId", body_sha256 as "bodySha256", recorded_at::text as "recordedAt" from recorded_call
      where (recorded_at, invocation_id) > (${after.recordedAt}::timestamptz, ${after.invocationId})
      order by recorded_at, invocation_id limit ${PAGE}`.execute(other)
    yield rows.map(({ invocationId, bodySha256 }) => ({ invocationId, bodySha256, batch: undefined }))
    if (rows.length < PAGE) return
    after = rows.at(-1)!
  }
}

/** What the calls brought, by the id of each. Calls of which nothing is left are not in it. */
export async function itemsOfCalls(other: Queryable, calls: readonly OtherCall[]): Promise<Map<string, OtherItems[]>> {
  const found = new Map<string, OtherItems[]>()
  const add = (callId: string, items: OtherItems) => found.set(callId, [...(found.get(callId) ?? []), items])
  for (const call of calls) {
    if (call.batch === undefined) continue
    const items = await itemsOfBatch(other, call.batch)
    if (items.items.length > 0) add(callIdOf(call), items)
  }
  const callIds = calls.map(callIdOf)
  for (const [callId, items] of await paymentsOf(other, callIds))
    add(callId, { handler: 'RecordPayments', list: 'callbacks', items })
  for (const [callId, items] of await eventsOf(other, callIds)) add(callId, { handler: 'RecordEvents', list: 'events', items })
  for (const [callId, items] of await productsOf(other, callIds))
    add(callId, { handler: 'UpsertProducts', list: 'products', items })
  return found
}

async function itemsOfBatch(other: Queryable, { batchId, kind }: NonNullable<OtherCall['batch']>): Promise<OtherItems> {
  const { itemJson }: Pick<LogTable<never>, 'itemJson'> = kind === 'search' ? SEARCHES : INTERACTIONS
  const { rows } = await sql<{ item: string }>`
    select ${itemJson} as item from ${sql.table(kind)} given, interaction_batch b
    where b.batch_id = ${batchId}::bigint and given.batch_id = b.batch_id and given.occurred_at between b.occurred_from and b.occurred_to
    order by given.occurred_at, given.event_id`.execute(other)
  const handler = kind === 'search' ? 'RecordSearches' : 'CreateInteraction'
  return { handler, list: KINDS[kind].list, items: rows.map(({ item }) => item) }
}

type ItemsByCall = Map<string, string[]>

function byCall(rows: readonly { callId: string; item: string }[]): ItemsByCall {
  const found: ItemsByCall = new Map()
  for (const { callId, item } of rows) {
    const id = callId.replaceAll('-', '')
    found.set(id, [...(found.get(id) ?? []), item])
  }
  return found
}

async function paymentsOf(other: Queryable, callIds: readonly string[]): Promise<ItemsByCall> {
  const { rows } = await sql<StoredPayment>`
    select ${PAYMENT_COLUMNS} from payment_callback c where call_id = any(${callIds}::uuid[]) order by call_id, call_index`.execute(
    other,
  )
  return byCall(rows.map(paymentOf).map((payment) => ({ callId: payment.callId, item: JSON.stringify(callbackOf(payment)) })))
}

/** Without those of payments, which follow from callbacks. */
async function eventsOf(other: Queryable, callIds: readonly string[]): Promise<ItemsByCall> {
  const { rows } = await sql<{ callId: string; item: string }>`
    select k.call_id as "callId", jsonb_strip_nulls(jsonb_build_object('source', s.slug, 'external_ref', e.external_ref, 'entity_id', e.entity_id,
      'status', e.status, 'processing_ms', e.processing_ms, 'amount', e.amount, 'currency', e.currency,
      'occurred_at', ${sql.raw(utc('e.occurred_at'))}::jsonb, 'payload', e.payload))::text as item
    from analytics_event_key k join event_source s using (source_id)
      join analytics_event e on e.source_id = k.source_id and e.external_ref = k.external_ref
    where k.call_id = any(${callIds}::uuid[]) order by k.call_id, k.call_index`.execute(other)
  return byCall(rows)
}

async function productsOf(other: Queryable, callIds: readonly string[]): Promise<ItemsByCall> {
  const { rows } = await sql<{ callId: string; item: string }>`
    select p.call_id as "callId", ${PRODUCT_JSON} as item from catalog.product p where p.call_id = any(${callIds}::uuid[])
    order by p.product_id`.execute(other)
  return byCall(rows)
}
