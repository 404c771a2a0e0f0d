import { iface, implement } from '@restatedev/restate-sdk'
import { sql } from 'kysely'
import { z } from 'zod'
import type { Deps } from '../../../services/handler/deps.ts'
import { judgeInteractions } from '../../../src/admission/interaction.ts'
import { BACKGROUND, RECORD } from '../../../services/handler/handler-options.ts'
import { CreateInteractionRequest } from '../../../src/contract/interaction.ts'
import { callOf, eventIdFor } from '../../../src/store/log/call.ts'
import type { Queryable, Database } from '../../../src/store/database/connection.ts'
import { addToProduct, countersOf, hourOf, scoreOf, trendingOf, weighed } from '../../../src/store/popularity/cells.ts'
import { recordBatch } from '../../harness/items/events.ts'

/** A row as it is sent to one target. */
const Row = z.strictObject({
  event_id: z.string(),
  occurred_at: z.iso.datetime(),
  event_type: z.string(),
  product_id: z.string(),
  shopper_id: z.string(),
})
type Row = z.infer<typeof Row>

export const perRowAnalyticApi = iface.service('PerRowAnalytic', {
  CreateInteraction: iface.schemas({ input: CreateInteractionRequest, output: z.object({ accepted: z.int() }) }),
})
const perRowPopularityApi = iface.service('PerRowPopularity', { Count: iface.schemas({ input: Row }) })
const perRowCatalogApi = iface.service('PerRowCatalog', { Feed: iface.schemas({ input: Row }) })

/** Creates the tables that make a repeated attempt harmless: a row per event and target. */
export async function preparePerRow(db: Database): Promise<void> {
  await sql`create table per_row_counted (event_id uuid primary key)`.execute(db)
  await sql`create table per_row_fed (event_id uuid primary key)`.execute(db)
}

/** How many events have reached both targets. */
export async function perRowDone(db: Queryable): Promise<number> {
  const { rows } = await sql<{ done: number }>`
    select least((select count(*) from per_row_counted), (select count(*) from per_row_fed))::int as done`.execute(db)
  return rows[0]!.done
}

/**
 * The literal design, as the baseline: the same request, log and aggregates, with one send per row and target and one claimed upsert in
 * each.
 */
export const perRowServices = (deps: Deps) => [
  implement(perRowAnalyticApi, {
    handlers: {
      CreateInteraction: async (ctx, request) => {
        const { id, body } = ctx.request()
        const call = callOf(id.toString(), body)
        const { rows: interactions, rejections } = judgeInteractions(request.interactions, await ctx.date.now(), (index, time) =>
          eventIdFor(call, index, time),
        )
        const recorded = await ctx.run('record', () => recordBatch(deps.db, call, interactions, rejections))
        for (const { eventId, occurredAtMs, eventType, refId, accountId } of interactions) {
          const row: Row = {
            event_id: eventId,
            occurred_at: new Date(occurredAtMs).toISOString(),
            event_type: eventType,
            product_id: refId,
            shopper_id: `account:${accountId}`,
          }
          ctx.sendClient(perRowPopularityApi).Count(row)
          ctx.sendClient(perRowCatalogApi).Feed(row)
        }
        return { accepted: recorded.accepted }
      },
    },
    options: { handlers: { CreateInteraction: RECORD } },
  }),
  implement(perRowPopularityApi, {
    handlers: {
      Count: async (ctx, row) => {
        await ctx.run('count', () => count(deps.db, row))
      },
    },
    options: { handlers: { Count: BACKGROUND } },
  }),
  implement(perRowCatalogApi, {
    handlers: {
      Feed: async (ctx, row) => {
        await ctx.run('feed', () => feed(deps.db, row))
      },
    },
    options: { handlers: { Feed: BACKGROUND } },
  }),
]

async function count(db: Queryable, row: Row): Promise<void> {
  await sql`
    with claimed as (
      insert into per_row_counted (event_id) values (${row.event_id}) on conflict do nothing returning 1
    ), c as (
      select ${row.product_id} as product_id, ${hourOf(sql`${row.occurred_at}::timestamptz`)} as hour,
        ${row.event_type} as event_type, 1 as events, ${row.occurred_at}::timestamptz as last_at,
        power(2::float8, date_part('epoch', ${row.occurred_at}::timestamptz
          - ${hourOf(sql`${row.occurred_at}::timestamptz`)}) / 3600 / r.half_life_hours) as decayed
      from claimed cross join popularity_rules r
    ), hours as (
      insert into product_hour as h (product_id, hour, event_type, events, decayed)
      select product_id, hour, event_type, events, decayed from c
      on conflict (product_id, hour, event_type) do update
        set events = h.events + excluded.events, decayed = h.decayed + excluded.decayed
    )
    insert into product_popularity as p (product_id, score_micros, trending, view_count, purchase_count, favorite_count,
      cart_count, review_count, search_click_count, search_count, last_interaction, date_updated)
    select c.product_id, ${scoreOf}, ${trendingOf}, ${countersOf}, max(c.last_at), now()
    from c cross join popularity_rules r ${weighed} group by c.product_id
    ${addToProduct}`.execute(db)
}

async function feed(db: Queryable, row: Row): Promise<void> {
  await sql`
    with claimed as (insert into per_row_fed (event_id) values (${row.event_id}) on conflict do nothing returning 1)
    insert into shopper_product as s (shopper_id, product_id, event_type, events, last_at)
    select ${row.shopper_id}, ${row.product_id}, ${row.event_type}, 1, ${row.occurred_at}::timestamptz from claimed
    on conflict (shopper_id, product_id, event_type) do update
      set events = s.events + excluded.events, last_at = greatest(s.last_at, excluded.last_at)`.execute(db)
}
