import { sql } from 'kysely'
import { SEARCH_IMPRESSION } from '../../contract/search.ts'
import { restoredMonths, restoredTable } from '../archive/restored-month.ts'
import type { Queryable } from '../database/connection.ts'
import { type LogTableName, type Month, monthAfter } from '../log/month.ts'
import { dayOf, hourOf } from '../popularity/cells.ts'
import { compare, exact, type Finding, joined } from './drift.ts'

type Sql = ReturnType<typeof sql>

const IMPRESSION = sql.lit(SEARCH_IMPRESSION)
const tableOf = (table: LogTableName, month: Month) => sql.table(restoredTable(table, month))

const interactionsOf = (month: Month) => sql`
  select ref_id as product_id, occurred_at, event_type from ${tableOf('interaction', month)} where not is_category`

/** Interactions can be of the type that searches are counted under. */
const impressionsOf = (month: Month) => sql`
  select shown.product_id, occurred_at, ${IMPRESSION}::text collate "C" as event_type
  from ${tableOf('search', month)} cross join unnest(product_ids) as shown(product_id)
  union all ${interactionsOf(month)} and event_type = ${IMPRESSION}`

/** A day of cells that were rolled up, and of those that will be. */
const startOf = (instant: Sql) => sql`case when ${instant} < r.rolled_to then ${dayOf(instant)} else ${hourOf(instant)} end`

/**
 * Replays restored months against the hours and days that they made, which are otherwise taken as given: every one of them is wholly in its
 * month. Compares how often events were counted; the decayed sums of dropped months are of the half-life of their time.
 */
export async function restoredDrift(tx: Queryable): Promise<{ finding: Finding; months: number }> {
  const restored = await restoredMonths(tx)
  const monthsOf = (table: LogTableName) => restored.filter((each) => each.table === table).map(({ month }) => month)
  const months = monthsOf('interaction')
  // The cells of searches need both tables.
  const withSearches = monthsOf('search').filter((month) => months.includes(month))
  const findings: Finding[] = []
  for (const month of months) {
    const events = sql`${interactionsOf(month)} and event_type <> ${IMPRESSION}`
    findings.push(await driftOf(tx, month, events, sql`c.event_type <> ${IMPRESSION}`))
  }
  for (const month of withSearches)
    findings.push(await driftOf(tx, month, impressionsOf(month), sql`c.event_type = ${IMPRESSION}`))
  return { finding: joined(findings), months: months.length + withSearches.length }
}

/** Compares the cells of a month and some types with their events. */
function driftOf(tx: Queryable, month: Month, events: Sql, isCell: Sql): Promise<Finding> {
  const isInMonth = sql`c.hour >= ${`${month}-01T00:00:00Z`}::timestamptz and c.hour < ${`${monthAfter(month)}-01T00:00:00Z`}::timestamptz`
  return compare(tx, {
    table: 'product_hour',
    key: ['product_id', 'hour', 'event_type'],
    stored: sql`
      select c.product_id, ${startOf(sql`c.hour`)} as hour, c.event_type, sum(c.events)::bigint as events
      from product_cell c cross join popularity_rules r where ${isInMonth} and ${isCell} group by 1, 2, 3`,
    expected: sql`
      select e.product_id, ${startOf(sql`e.occurred_at`)} as hour, e.event_type, count(*) as events
      from (${events}) e cross join popularity_rules r group by 1, 2, 3`,
    cells: [exact('events')],
  })
}
