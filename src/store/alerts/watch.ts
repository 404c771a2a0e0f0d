import { type RawBuilder, sql } from 'kysely'
import type { Mode } from '../../contract/popular-list.ts'
import { isListed } from '../catalog/listed-product.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { popularRows } from '../popularity/popular-list.ts'
import { readSizeOf } from '../popularity/popular-page.ts'

/*
 * Crossings that nothing but a look at a list shows. A transaction per alert compares the list with the subjects that crossed before, and
 * writes what is new together with its crossings. So an attempt that is repeated, or overlaps another one, finds nothing more to write.
 */

export type WatchedKind = 'enters_top' | 'rising_above' | 'finds_nothing'

interface Watched {
  alertId: string
  kind: WatchedKind
  mode: Mode | null
  threshold: number
  rearmAt: number
  category: string | null
  /** Whether crossings are noted: not the first time, and not while the alert is off. */
  isNoted: boolean
}

/** The alerts about lists and searches. */
export async function watchedAlerts(db: Queryable): Promise<string[]> {
  const { rows } = await sql<{ alertId: string }>`
    select alert_id as "alertId" from alert where deleted_at is null and kind <> 'low_stock' order by made_at, alert_id`.execute(
    db,
  )
  return rows.map(({ alertId }) => alertId)
}

/** Compares an alert with its list. Costs what a page of the list costs, or a pass over the searches of two days. @returns new crossings. */
export async function watchAlert(db: Database, alertId: string): Promise<number> {
  return db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    const alert = await heldAlert(tx, alertId)
    if (alert === undefined) return 0
    const crossings = await WATCH[alert.kind](tx, alert)
    await sql`update alert set checked_at = now() where alert_id = ${alertId}::uuid and checked_at is null`.execute(tx)
    return crossings
  })
}

/** The alert, which no other transaction compares until this one ends. */
async function heldAlert(tx: Queryable, alertId: string): Promise<Watched | undefined> {
  const { rows } = await sql<Watched>`
    select alert_id as "alertId", kind, mode, threshold, rearm_at as "rearmAt", category, is_on and checked_at is not null as "isNoted"
    from alert where alert_id = ${alertId}::uuid and deleted_at is null and kind <> 'low_stock' for update`.execute(tx)
  return rows[0]
}

const WATCH: Record<WatchedKind, (tx: Queryable, alert: Watched) => Promise<number>> = {
  enters_top: watchTop,
  rising_above: watchRising,
  finds_nothing: watchSearches,
}

async function watchTop(tx: Queryable, alert: Watched): Promise<number> {
  const { mode, category, rearmAt, threshold } = alert
  const rows = await popularRows(tx, {
    mode: mode!,
    span: undefined,
    categoryIds: category === null ? undefined : [category],
    minInteractions: 1,
    // The lengths of pages, because each length is a statement of its own.
    limit: readSizeOf(rearmAt) + 1,
    after: undefined,
  })
  const ids = rows.map(({ position }) => position.productId)
  const near = ids.slice(0, rearmAt)
  await sql`
    delete from alert_subject where alert_id = ${alert.alertId}::uuid and not subject = any(${near}::text[])`.execute(tx)
  return noteProducts(
    tx,
    alert,
    sql`select id as product_id, jsonb_build_object('mode', ${mode}::text, 'top', ${threshold}::int, 'place', place) as facts
      from unnest(${ids.slice(0, threshold)}::text[]) with ordinality as listed(id, place)`,
  )
}

async function watchRising(tx: Queryable, alert: Watched): Promise<number> {
  const { alertId, threshold, rearmAt } = alert
  const above = (score: number) => sql`
    select g.product_id, g.rising_score from product_rising g where g.rising_score > ${score}::float8 and ${isListed(sql`g.product_id`)}`
  await sql`
    delete from alert_subject s where s.alert_id = ${alertId}::uuid
      and not exists (select from (${above(rearmAt)}) near where near.product_id = s.subject)`.execute(tx)
  return noteProducts(
    tx,
    alert,
    sql`select product_id, jsonb_build_object('above', ${threshold}::float8, 'rising_score', rising_score) as facts
      from (${above(threshold)}) listed`,
  )
}

/** Notes products of a list that did not cross before, and crossings of the products that the filter keeps. `listed` has product_id and facts. */
async function noteProducts(tx: Queryable, { alertId, isNoted }: Watched, listed: RawBuilder<unknown>): Promise<number> {
  const { rows } = await sql`
    with listed as materialized (${listed}), crossed as (
      insert into alert_subject (alert_id, subject) select ${alertId}::uuid, product_id from listed
      on conflict do nothing returning subject
    )
    insert into alert_crossing (alert_id, subject, facts)
    select a.alert_id, l.product_id, jsonb_strip_nulls(
      jsonb_build_object('product_id', l.product_id, 'name', p.name, 'seller_id', p.seller_id, 'category', p.category) || l.facts)
    from crossed join listed l on l.product_id = crossed.subject
      join alert a on a.alert_id = ${alertId}::uuid left join catalog.product p on p.product_id = l.product_id
    where ${isNoted}::boolean and (a.product_id is null or a.product_id = l.product_id)
      and (a.seller_id is null or a.seller_id = p.seller_id) and (a.category is null or a.category = p.category)
    order by l.product_id
    returning delivery_id`.execute(tx)
  return rows.length
}

/** Of today and of yesterday, by UTC, because events may come late. */
async function watchSearches(tx: Queryable, { alertId, threshold, isNoted }: Watched): Promise<number> {
  const { rows } = await sql`
    with counted as materialized (
      select occurred_at::date as day, normalised_query as query, count(*) as searches from search
      where occurred_at >= current_date - 1 and occurred_at < current_date + 1 and cardinality(product_ids) = 0
      group by 1, 2 having count(*) > ${threshold}::float8
    ), crossed as (
      insert into alert_subject (alert_id, day, subject) select ${alertId}::uuid, day, query from counted
      on conflict do nothing returning day, subject
    )
    insert into alert_crossing (alert_id, subject, facts)
    select ${alertId}::uuid, c.query,
      jsonb_build_object('query', c.query, 'day', c.day, 'searches', c.searches, 'more_than', ${threshold}::float8)
    from crossed x join counted c on c.day = x.day and c.query = x.subject where ${isNoted}::boolean order by c.day, c.query
    returning delivery_id`.execute(tx)
  return rows.length
}

const ROWS_MAX = 10_000

/** Deletes subjects of alerts that were deleted an hour ago, and of days that are over. @returns whether more are left. */
export async function dropSubjects(db: Queryable): Promise<boolean> {
  const { rows } = await sql`
    with old as materialized (
      select s.alert_id, s.subject, s.day from alert_subject s left join alert a on a.alert_id = s.alert_id
      where (s.day > '-infinity' and s.day < current_date - 2) or a.alert_id is null or a.deleted_at < now() - interval '1 hour'
      limit ${ROWS_MAX}
    )
    delete from alert_subject s using old where s.alert_id = old.alert_id and s.subject = old.subject and s.day = old.day
    returning s.subject`.execute(db)
  return rows.length === ROWS_MAX
}
