import { DecidedError } from '../../contract/decided-error.ts'
import { sql } from 'kysely'
import { toMicros, type Weights } from '../../ranking/weights.ts'
import type { Queryable, Database } from '../database/connection.ts'
import { takeLock } from '../database/locks.ts'
import { countedEvents } from './product-event.ts'
import { rollUpAll } from './roll-up.ts'
import { audit, SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import { counterColumns, countersOf, dayOf, hourOf, scoreOf, setCounters, trendingOf, weighed } from './cells.ts'
import { onlyRow } from '../database/rows.ts'

/** The rules of popularity. Half-life and window in hours. */
export interface Rules {
  weightsName: string
  weights: Weights
  halfLifeHours: number
  windowHours: number
}

/** The rules in force; undefined in a database without rules. */
export async function currentRules(db: Queryable): Promise<Rules | undefined> {
  const { rows } = await sql<Omit<Rules, 'weights'> & { weights: Record<string, number> }>`
    select t.name as "weightsName", r.half_life_hours as "halfLifeHours", r.window_hours as "windowHours",
      (select coalesce(json_object_agg(w.event_type, w.weight_micros / 1e6::float8), '{}') from weight w
        where w.version = r.weights_version) as weights
    from popularity_rules r join weight_table t on t.version = r.weights_version`.execute(db)
  return rows[0]
}

export function sameWeights(one: Weights, other: Weights): boolean {
  const types = Object.keys(one)
  return (
    types.length === Object.keys(other).length &&
    types.every((type) => other[type] !== undefined && toMicros(one[type]!) === toMicros(other[type]))
  )
}

/** Whether anything was counted, so that other rules need a rescore. */
export async function hasScores(db: Queryable): Promise<boolean> {
  const result = await sql<{ any: boolean }>`select exists (select from product_popularity) as any`.execute(db)
  return onlyRow(result).any
}

interface RescoreResult {
  products: number
  weightsVersion: number
}

/**
 * Puts new rules in force and recomputes every product from its hours and days, under the exclusive rules lock: counting waits until
 * the end. A new half-life first rebuilds the hours from the log.
 * @throws DecidedError (conflict) when the half-life changes and part of the log is gone.
 */
export async function rescore(db: Database, rules: Rules, actor = SYSTEM_ACTOR): Promise<RescoreResult> {
  return db.transaction().execute(async (tx) => {
    await takeLock(tx, 'rules', 'exclusive')
    const before = await currentRules(tx)
    const weightsVersion = await addWeights(tx, rules)
    const rebuildHours = before !== undefined && before.halfLifeHours !== rules.halfLifeHours
    if (rebuildHours && (await isLogCut(tx))) {
      throw new DecidedError(
        'conflict',
        'a new half-life needs the whole log, and part of it was dropped; keep the old half-life',
      )
    }
    const edge = hourOf(sql`now() - ${rules.windowHours} * interval '1 hour'`)
    await sql`
      insert into popularity_rules (weights_version, half_life_hours, window_hours, landmark, edge, repaired_to)
      values (${weightsVersion}, ${rules.halfLifeHours}, ${rules.windowHours}, ${hourOf(sql`now()`)}, ${edge}, ${edge})
      on conflict (singleton) do update set weights_version = excluded.weights_version,
        half_life_hours = excluded.half_life_hours, window_hours = excluded.window_hours, landmark = excluded.landmark,
        edge = excluded.edge, repaired_to = excluded.repaired_to`.execute(tx)
    if (rebuildHours) {
      // A day that is half rolled up could not be told from the log.
      await rollUpAll(tx)
      await rebuildDecayed(tx)
    }
    const products = await recomputeProducts(tx)
    const { weightsName, halfLifeHours, windowHours } = rules
    await audit(tx, {
      actor,
      action: 'weights.change',
      resourceType: 'weights',
      resourceId: String(weightsVersion),
      metadata: { name: weightsName, half_life_hours: halfLifeHours, window_hours: windowHours, products },
    })
    return { weightsVersion, products }
  })
}

/** Adds a version of the weights. Every rescore has its own version. */
async function addWeights(tx: Queryable, rules: Rules): Promise<number> {
  const result = await sql<{ version: number }>`
    insert into weight_table (version, name)
    select coalesce(max(version), 0) + 1, ${rules.weightsName} from weight_table returning version`.execute(tx)
  const version = onlyRow(result).version
  const types = Object.keys(rules.weights)
  await sql`
    insert into weight (version, event_type, weight_micros)
    select ${version}::int, * from unnest(${types}::text[], ${types.map((type) => toMicros(rules.weights[type]!))}::bigint[])`.execute(
    tx,
  )
  return version
}

async function isLogCut(tx: Queryable): Promise<boolean> {
  const result = await sql<{ cut: boolean }>`
    select horizon > '2000-01-01 00:00:00+00' as cut from log_horizon`.execute(tx)
  return onlyRow(result).cut
}

/** Rebuilds the decayed sums of hours and days, each from its own events. */
async function rebuildDecayed(tx: Queryable): Promise<void> {
  await sql`
    with log as materialized (${decayedInLog(hourOf, sql`>=`)})
    update product_hour h set decayed = log.decayed from log
    where h.product_id = log.product_id and h.hour = log.start and h.event_type = log.event_type`.execute(tx)
  await sql`
    with log as materialized (${decayedInLog(dayOf, sql`<`)})
    update product_day d set decayed = log.decayed from log
    where d.product_id = log.product_id and d.day = log.start and d.event_type = log.event_type`.execute(tx)
}

/** The decayed sums of counted events per product, hour or day, and type, on one side of the roll-up's edge. */
function decayedInLog(startOf: typeof hourOf, side: ReturnType<typeof sql>) {
  const start = startOf(sql`e.occurred_at`)
  return sql`
      select e.product_id, ${start} as start, e.event_type,
        sum(power(2::float8, date_part('epoch', e.occurred_at - ${start}) / 3600 / r.half_life_hours)) as decayed
      from (${countedEvents}) e cross join popularity_rules r
      where e.occurred_at ${side} r.rolled_to
      group by 1, 2, 3`
}

/** Recomputes every product's score, trending and counters from its hours and days. */
async function recomputeProducts(tx: Queryable): Promise<number> {
  const { numAffectedRows } = await sql`
    update product_popularity p set score_micros = f.score_micros, trending = f.trending, ${setCounters}
    from (
      select c.product_id, ${scoreOf}, ${trendingOf}, ${countersOf}
      from product_cell c cross join popularity_rules r ${weighed}
      group by c.product_id
    ) f (product_id, score_micros, trending, ${counterColumns})
    where f.product_id = p.product_id`.execute(tx)
  return Number(numAffectedRows ?? 0)
}
