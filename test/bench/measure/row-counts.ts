import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

export interface Counts {
  recorded: number
  hours: number
  fed: number
  views: number
  recordedViews: number
}

const NONE: Counts = { recorded: 0, hours: 0, fed: 0, views: 0, recordedViews: 0 }

/** How many events each table has. */
export async function countsOf(db: Database): Promise<Counts> {
  const { rows } = await withoutTimeout(db, (unlimited) =>
    sql<Counts>`
    select (select count(*) from interaction)::int as recorded, (select coalesce(sum(events), 0) from product_hour)::int as hours,
      (select coalesce(sum(view_count), 0) from product_popularity)::int as views,
      (select count(*) from interaction where event_type = 'view')::int as "recordedViews",
      (select coalesce(sum(events), 0) from shopper_product)::int as fed`.execute(unlimited),
  )
  return rows[0]!
}

/** @throws unless every table has exactly `events` more events than before. */
export async function mustHaveCounted(db: Database, events: number, before = NONE): Promise<void> {
  const now = await countsOf(db)
  const more = (name: keyof Counts) => now[name] - before[name]
  const isRight =
    more('recorded') === events && more('hours') === events && more('fed') === events && more('views') === more('recordedViews')
  if (!isRight) throw new Error(`of ${events} events were counted: ${JSON.stringify({ before, now })}`)
}
