import { type Kysely, sql } from 'kysely'
import { newestEvents, type ShopperEvent } from '../../src/ranking/shopper-event.ts'
import { recentEventsOf } from '../../src/store/shoppers/shopper-recent.ts'

interface LoggedEvent extends ShopperEvent {
  shopperId: string
}

/** Compares what is read as the recent events of each shopper with the log, event by event. @returns the shoppers that differ. */
export async function recentProblems(db: Kysely<unknown>): Promise<string[]> {
  const events = Map.groupBy(await loggedEvents(db), ({ shopperId }) => shopperId)
  const problems: string[] = []
  for (const [shopperId, ofShopper] of events) {
    const expected = newestEvents(ofShopper).map(textOf)
    const read = (await recentEventsOf(db, [shopperId])).map(textOf)
    if (read.join() !== expected.join())
      problems.push(`recent events of ${shopperId}: ${read.length} of ${expected.length}, or others`)
  }
  const { rows } = await sql<{ shopperId: string }>`select distinct shopper_id as "shopperId" from shopper_recent`.execute(db)
  return [
    ...problems,
    ...rows.flatMap(({ shopperId }) => (events.has(shopperId) ? [] : [`recent events of unknown ${shopperId}`])),
  ]
}

async function loggedEvents(db: Kysely<unknown>): Promise<LoggedEvent[]> {
  const { rows } = await sql<Omit<LoggedEvent, 'occurredAtMs'> & { occurredAt: Date }>`
    select case when account_id is null then 'session:' || session_id else 'account:' || account_id end as "shopperId",
      event_id as "eventId", occurred_at as "occurredAt", ref_id as "productId", event_type as "eventType"
    from interaction where not is_category`.execute(db)
  return rows.map(({ occurredAt, ...event }) => ({ ...event, occurredAtMs: occurredAt.getTime() }))
}

function textOf({ eventId, occurredAtMs, productId, eventType }: ShopperEvent): string {
  return `${occurredAtMs} ${eventId} ${productId} ${eventType}`
}
