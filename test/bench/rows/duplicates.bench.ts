import { sql } from 'kysely'
import { type CalledAnalyticsEvent, judgeAnalyticsEvents } from '../../../src/admission/analytics-event.ts'
import type { NewInteraction } from '../../../src/admission/interaction.ts'
import { judgePayments, type NewPayment } from '../../../src/admission/payment.ts'
import { instantOf } from '../../../src/contract/fields/time.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { recordRows } from '../../../src/store/log/batch.ts'
import { INTERACTIONS } from '../../../src/store/log/interaction.ts'
import { recordPayments } from '../../../src/store/payments/payment-recording.ts'
import { recordEvents } from '../../../src/store/reports/analytics-event.ts'
import { newCall } from '../../harness/items/payments.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { analyticsTraffic } from '../items/analytics-events.ts'
import { dayOfTraffic, rowOf } from '../items/events.ts'
import { paymentCallback } from '../items/payments.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { interleaved, median, ratioOf } from '../measure/rounds.ts'
import { withParts } from '../servers/bench-stack.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'

const FULL = { calls: 20, rounds: 7 }
const QUICK = { calls: 2, rounds: 1 }
const CALL_EVENTS = 1_000
const CALL_CALLBACKS = 100

/** Items with an identity, as one call sends them. */
interface Kind<Item> {
  identity: string
  /** Items of a call, new ones for each number. */
  itemsOf: (call: number) => Item[]
  /** @returns how many were duplicates. */
  record: (items: readonly Item[]) => Promise<number>
  /** How many duplicates differ from what is recorded. Absent when recording compares by itself. */
  different?: (items: readonly Item[]) => Promise<number>
}

/** Microseconds per item: of new ones, of duplicates, and of duplicates that are also compared with what is recorded. */
type Times = Record<'first' | 'again' | 'compared', number[]>

/** What it costs to compare duplicates with what is recorded, by the statements of a call alone. */
export function duplicates(isQuick: boolean): Promise<RowResult> {
  const size = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db, drop } = await createDatabase(postgres.url)
    stopAtEnd({ stop: drop })
    const times = {
      event_id: await timesOf(interactions(db), size),
      external_ref: await timesOf(analyticsEvents(db), size),
      callback_id: await timesOf(callbacks(db), size),
    }
    return {
      claims: [claimOf('event_id', times.event_id), claimOf('external_ref', times.external_ref), ofCallbacks(times.callback_id)],
      measured: times,
    }
  })
}

async function timesOf<Item>(kind: Kind<Item>, { calls, rounds }: typeof FULL): Promise<Times> {
  let made = 0
  const newCalls = () => Array.from({ length: calls }, () => kind.itemsOf(made++))
  const known = newCalls()
  await timed(known, (items) => recorded(kind, items, 0))
  const again = (items: readonly Item[]) => recorded(kind, items, items.length)
  return interleaved(
    {
      first: () => timed(newCalls(), (items) => recorded(kind, items, 0)),
      again: () => timed(known, again),
      compared: () =>
        timed(known, async (items) => {
          await again(items)
          if ((await kind.different?.(items)) ?? 0) throw new Error(`${kind.identity}: equal duplicates differ`)
        }),
    },
    rounds,
  )
}

async function recorded<Item>(kind: Kind<Item>, items: readonly Item[], expected: number): Promise<void> {
  const found = await kind.record(items)
  if (found !== expected) throw new Error(`${kind.identity}: ${found} of ${items.length} were duplicates, not ${expected}`)
}

/** @returns the microseconds per item. */
async function timed<Item>(calls: readonly Item[][], work: (items: Item[]) => Promise<void>): Promise<number> {
  const startMs = performance.now()
  for (const items of calls) await work(items)
  return ((performance.now() - startMs) * 1_000) / calls.flat().length
}

function interactions(db: Database): Kind<NewInteraction> {
  return {
    identity: 'event_id',
    itemsOf: (call) => dayOfTraffic(CALL_EVENTS, call + 1).map(rowOf),
    record: async (rows) => (await recordRows(db, INTERACTIONS, newCall(), rows, [])).duplicateIndexes.length,
    different: async (rows) => {
      const times = rows.map(({ occurredAtMs }) => occurredAtMs)
      return countOf(
        db,
        sql`
        from (${INTERACTIONS.rowsAsTable(rows)}) g join interaction i on i.occurred_at = g.occurred_at and i.event_id = g.event_id
        where i.occurred_at between ${instantOf(Math.min(...times))}::timestamptz and ${instantOf(Math.max(...times))}::timestamptz
          and (i.event_type, i.is_category, i.ref_id, i.account_id, i.account_number, i.session_id, i.ip_address, i.user_agent, i.metadata)
            is distinct from (g.event_type, g.is_category, g.ref_id, g.account_id, g.account_number, g.session_id, g.ip_address,
              g.user_agent, g.metadata::jsonb)`,
      )
    },
  }
}

function analyticsEvents(db: Database): Kind<CalledAnalyticsEvent> {
  return {
    identity: 'external_ref',
    itemsOf: (call) => {
      const next = analyticsTraffic(`bench-${call}`)
      return judgeAnalyticsEvents(Array.from({ length: CALL_EVENTS }, next), Date.now()).rows
    },
    record: async (events) => (await recordEvents(db, newCall(), events)).duplicateIndexes.length,
    // An event that is sent with another time is not found, and so it differs.
    different: (events) => {
      const column = (valueOf: (event: CalledAnalyticsEvent) => string | number | null) => events.map(valueOf)
      return countOf(
        db,
        sql`
        from unnest(${column(({ source }) => source)}::text[], ${column(({ externalRef }) => externalRef)}::text[],
            ${column(({ entityId }) => entityId)}::text[], ${column(({ status }) => status)}::text[],
            ${column(({ processingMs }) => processingMs)}::int[], ${column(({ amount }) => amount)}::bigint[],
            ${column(({ currency }) => currency)}::text[], ${column(({ occurredAtMs }) => instantOf(occurredAtMs))}::timestamptz[])
            as g (slug, external_ref, entity_id, status, processing_ms, amount, currency, occurred_at)
          join event_source s on s.slug = g.slug
          left join analytics_event e on e.occurred_at = g.occurred_at and e.source_id = s.source_id and e.external_ref = g.external_ref
        where (e.entity_id, e.status, e.processing_ms, e.amount, e.currency)
          is distinct from (g.entity_id, g.status, g.processing_ms, g.amount, g.currency)`,
      )
    },
  }
}

/** Recording compares callbacks by itself, because it reads those of the same ids, payments and orders in any case. */
function callbacks(db: Database): Kind<NewPayment> {
  return {
    identity: 'callback_id',
    itemsOf: (call) => {
      const indexes = Array.from({ length: CALL_CALLBACKS }, (_, place) => call * CALL_CALLBACKS + place)
      return judgePayments(indexes.map(paymentCallback), Date.now()).rows
    },
    record: async (payments) => {
      const { results } = await recordPayments(db, newCall(), payments, [])
      return results.filter(({ isRecorded, rejection }) => !isRecorded && rejection === undefined).length
    },
  }
}

async function countOf(db: Database, source: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n ${source}`.execute(db)
  return rows[0]!.n
}

function claimOf(identity: string, { first, again, compared }: Times): Claim {
  return {
    what: `duplicates of \`${identity}\`, compared with what is recorded ÷ not compared (as it is)`,
    measured: ratioOf(compared, again),
    detail: `${us(compared)} against ${us(again)} each; a new one ${us(first)}`,
  }
}

function ofCallbacks({ first, again }: Times): Claim {
  return {
    what: 'duplicates of `callback_id`, which are compared ÷ new callbacks of 3 items',
    measured: ratioOf(again, first),
    detail: `${us(again)} against ${us(first)} each`,
  }
}

function us(times: readonly number[]): string {
  return `${formatted(median(times))} µs`
}
