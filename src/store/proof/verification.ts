import { DecidedError } from '../../contract/decided-error.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { SEARCH_IMPRESSION } from '../../contract/search.ts'
import type { Drift, VerifyResponse } from '../../contract/verify.ts'
import type { Queryable, Database } from '../database/connection.ts'
import { compare, DRIFT_MAX, exact, within } from './drift.ts'
import { openRepair } from '../popularity/trending-window.ts'
import { countedEvents } from '../popularity/product-event.ts'
import { snapshotDrift } from './report-drift.ts'
import { salesDrift } from './sales-drift.ts'
import { shopperOf } from '../shoppers/shopper-profile.ts'
import {
  COUNTERS,
  countersOf,
  dayOf,
  daysOf,
  hourOf,
  scoreOf,
  trendingOf,
  trendingSpreadOf,
  weighed,
} from '../popularity/cells.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { onlyRow } from '../database/rows.ts'

const REPAIR_WAIT_MS_MAX = 10_000
const REPAIR_POLL_MS = 100

/**
 * Replays the log against every aggregate in one snapshot and lists the cells that differ. Only counted batches are
 * replayed against popularity, and fed ones against the profiles. While a repair of trending is open there is no
 * difference to speak of: it is waited for. Costs five passes over the log, one over every aggregate and six over
 * the analytics events, and settles every payment anew.
 *
 * What was before the horizon is gone from the log. Hours and days that begin before it are taken as they are, and with them:
 * - every product's score, trending and counters are still proved, as what its hours and days add up to, and so is its last
 *   interaction, to the hour when that was before the horizon; date_updated can only be bounded from below;
 * - every profile must have at least what is replayed, with the same last_at, and without a replayed event a last_at before
 *   the horizon; and all profiles together must have, per product and event type, what the hours and days have.
 * So a count that was changed is found, in a profile by its product and type; not found is a decayed sum of before both the
 * horizon and the trending window, and a last_at that stays before the horizon.
 */
export async function verify(db: Database, { patienceMs = REPAIR_WAIT_MS_MAX } = {}): Promise<VerifyResponse> {
  for (let waitedMs = 0; ; waitedMs += REPAIR_POLL_MS) {
    const answer = await db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(replay)
    if (answer !== undefined) return answer
    if (waitedMs >= patienceMs) throw new DecidedError('unavailable', 'the trending window is being moved; try again')
    await sleep(REPAIR_POLL_MS)
  }
}

async function replay(tx: Queryable): Promise<VerifyResponse | undefined> {
  await allowLongStatements(tx)
  if ((await openRepair(tx)) !== undefined) return undefined
  const result = await sql<{ events: string; analyticsEvents: string; horizon: Date; isCut: boolean; hasDays: boolean }>`
    select horizon, (select count(*) from interaction where occurred_at >= horizon)
        + (select count(*) from search where occurred_at >= horizon) as events,
      (select count(*) from analytics_event where occurred_at >= horizon) as "analyticsEvents",
      exists (select from product_cell where hour < horizon) as "isCut",
      exists (select from product_day) or exists (select from popularity_rules where rolled_to > '2000-01-01') as "hasDays"
    from log_horizon`.execute(tx)
  const { events, analyticsEvents, horizon, isCut, hasDays } = onlyRow(result)
  const drift = [
    ...(await hourDrift(tx)),
    ...(hasDays ? await dayDrift(tx) : []),
    ...(await popularityDrift(tx)),
    ...(isCut ? [...(await cutShopperDrift(tx)), ...(await profileSumDrift(tx))] : await shopperDrift(tx)),
    ...(await salesDrift(tx)),
    ...(await snapshotDrift(tx, horizon)),
  ]
  return {
    drift: drift.slice(0, DRIFT_MAX),
    events: Number(events),
    analytics_events: Number(analyticsEvents),
    horizon: horizon.toISOString(),
  }
}

/** The cell of an instant under the rules r: its hour, or the day that its hour was rolled up into. */
function startOf(instant: ReturnType<typeof sql>) {
  return sql`case when ${instant} < r.rolled_to then ${dayOf(instant)} else ${hourOf(instant)} end`
}

/** 2 to the power of the half-lives from one instant to another. */
function growth(from: ReturnType<typeof sql>, to: ReturnType<typeof sql>) {
  return sql`power(2::float8, date_part('epoch', ${to} - ${from}) / 3600 / r.half_life_hours)`
}

/** Every counted product event of the log as cells of product, hour or day, and type; those that begin before the horizon left out. */
const replayedCells = sql`
  select e.product_id, s.start, e.event_type, count(*)::int as events,
    sum(${growth(sql`s.start`, sql`e.occurred_at`)}) as decayed,
    max(e.occurred_at) as last_at, max(e.scored_at) as scored_at
  from (${countedEvents}) e cross join popularity_rules r cross join log_horizon l
    cross join lateral (select ${startOf(sql`e.occurred_at`)} as start) s
  where e.occurred_at >= l.horizon and s.start >= l.horizon
  group by 1, 2, 3`

/** What is stored in the same form. An hour that is still on its way to its day is part of that day. */
const storedCells = sql`
  select c.product_id, s.start, c.event_type, sum(c.events) as events,
    sum(c.decayed * ${growth(sql`s.start`, sql`c.hour`)}) as decayed
  from product_cell c cross join popularity_rules r cross join lateral (select ${startOf(sql`c.hour`)} as start) s
  group by 1, 2, 3`

function hourDrift(tx: Queryable): Promise<Drift[]> {
  return compare(tx, {
    aggregate: 'product_hour',
    key: ['product_id', 'hour', 'event_type'],
    stored: sql`
      select h.* from product_hour h cross join popularity_rules r cross join log_horizon l
      where h.hour >= r.rolled_to and h.hour >= l.horizon`,
    expected: sql`
      select c.*, c.start as hour from (${replayedCells}) c cross join popularity_rules r where c.start >= r.rolled_to`,
    cells: [exact('events'), within('decayed', sql`e.decayed`)],
  })
}

/** A day with the hours that are still on their way to it. */
function dayDrift(tx: Queryable): Promise<Drift[]> {
  return compare(tx, {
    aggregate: 'product_day',
    key: ['product_id', 'day', 'event_type'],
    stored: sql`
      select c.* from (${daysOf(sql`(
        select product_id, day as hour, event_type, events, decayed from product_day
        union all
        select product_id, hour, event_type, events, decayed from product_hour
        where hour < (select rolled_to from popularity_rules))`)}) c cross join log_horizon l where c.day >= l.horizon`,
    expected: sql`
      select c.*, c.start as day from (${replayedCells}) c cross join popularity_rules r where c.start < r.rolled_to`,
    cells: [exact('events'), within('decayed', sql`e.decayed`)],
  })
}

/** Products against what is stored of before the horizon and replayed of after it. */
function popularityDrift(tx: Queryable): Promise<Drift[]> {
  return compare(tx, {
    aggregate: 'product_popularity',
    key: ['product_id'],
    stored: sql`select * from product_popularity`,
    expected: sql`
      select f.*, f.kept_start + case when f.kept_start < r.rolled_to then interval '1 day' else interval '1 hour' end as kept_end
      from (
        select c.product_id, ${scoreOf}, ${trendingOf}, ${trendingSpreadOf}, ${countersOf}, sum(c.events),
          max(c.last_at), max(c.scored_at), max(c.kept_start)
        from (
          select product_id, start as hour, event_type, events, decayed, last_at, scored_at, null::timestamptz as kept_start
          from (${replayedCells}) replayed
          union all
          select product_id, start, event_type, events, decayed, null, null, start
          from (${storedCells}) kept cross join log_horizon l where start < l.horizon
        ) c cross join popularity_rules r ${weighed}
        group by c.product_id
      ) f (product_id, score_micros, trending, spread, ${sql.raw(COUNTERS.join(', '))}, interaction_count,
        last_interaction, date_updated, kept_start)
      cross join popularity_rules r`,
    cells: [
      exact('score_micros'),
      within('trending', sql`e.spread`),
      ...COUNTERS.map(exact),
      exact('interaction_count'),
      {
        column: 'last_interaction',
        differs: sql`case when e.last_interaction is null
          then s.last_interaction < e.kept_start or s.last_interaction >= e.kept_end
          else s.last_interaction is distinct from e.last_interaction end`,
      },
      {
        column: 'date_updated',
        differs: sql`case when e.kept_start is null
          then s.date_updated is distinct from e.date_updated else s.date_updated < e.date_updated end`,
      },
    ],
  })
}

/** Every fed product event of the log as cells of shopper, product and type. */
const replayedProfiles = sql`
  select ${shopperOf(sql`i.account_id`, sql`i.session_id`)} as shopper_id, i.ref_id as product_id, i.event_type,
    count(*)::int as events, max(i.occurred_at) as last_at
  from interaction i join interaction_batch b using (batch_id) cross join log_horizon l
  where not i.is_category and b.fed_at is not null and i.occurred_at >= l.horizon
  group by 1, 2, 3`

const PROFILE = {
  aggregate: 'shopper_product',
  key: ['shopper_id', 'product_id', 'event_type'],
  expected: replayedProfiles,
}

function shopperDrift(tx: Queryable): Promise<Drift[]> {
  return compare(tx, { ...PROFILE, stored: sql`select * from shopper_product`, cells: [exact('events'), exact('last_at')] })
}

/** Profiles when part of the log is gone: what is replayed is the least that they have. */
function cutShopperDrift(tx: Queryable): Promise<Drift[]> {
  return compare(tx, {
    ...PROFILE,
    stored: sql`
      select p.* from shopper_product p cross join log_horizon l left join (${replayedProfiles}) x
        using (shopper_id, product_id, event_type)
      where p.last_at >= l.horizon or x.events is not null`,
    cells: [{ column: 'events', differs: sql`s.events < e.events` }, exact('last_at')],
  })
}

/**
 * All profiles of a product and type together against its hours and days. Batches that were counted and not yet fed, or the
 * other way round, are read from the log: a month with such a batch is not dropped. What searches showed is in no profile.
 */
function profileSumDrift(tx: Queryable): Promise<Drift[]> {
  return compare(tx, {
    aggregate: 'shopper_product',
    key: ['product_id', 'event_type'],
    stored: sql`select product_id, event_type, sum(events)::bigint as events from shopper_product
      where event_type <> ${sql.lit(SEARCH_IMPRESSION)} group by 1, 2`,
    expected: sql`
      select product_id, event_type, sum(events)::bigint as events from (
        select product_id, event_type, events from product_cell
        union all
        select i.ref_id, i.event_type, case when b.fed_at is null then -1 else 1 end
        from interaction i join interaction_batch b using (batch_id)
        where (b.scored_at is null) <> (b.fed_at is null) and not i.is_category
      ) c where event_type <> ${sql.lit(SEARCH_IMPRESSION)} group by 1, 2 having sum(events) <> 0`,
    cells: [exact('events')],
  })
}
