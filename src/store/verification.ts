import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Drift, VerifyResponse } from '../contract/verify.ts'
import type { Database, Store } from './database.ts'
import { openRepair } from './trending-window.ts'
import { cellsOf, COUNTERS, countersOf, scoreOf, trendingOf, trendingSpreadOf, weighed } from './popularity-score.ts'
import { countedEvents } from './product-event.ts'
import { shopperOf } from './shopper-product.ts'

/** Largest difference of a decayed sum, relative to Σ|weight|·decay: floats are added in any order. */
export const TOLERANCE = 1e-9
export const DRIFT_MAX = 1_000
const REPAIR_WAIT_MS_MAX = 10_000
const REPAIR_POLL_MS = 100
const REPLAY_MINUTES_MAX = 30

/** The trending window is being moved, and that does not end. */
export class RepairIsOpen extends Error {
  constructor() {
    super('the trending window is being moved; try again')
  }
}

/**
 * Replays the log against every aggregate in one snapshot and lists the cells that differ. Only counted batches are
 * replayed against popularity, and fed ones against the profiles. While a repair of trending is open there is no
 * difference to speak of: it is waited for. Costs four passes over the log and one over every aggregate.
 */
export async function verify(db: Store, { patienceMs = REPAIR_WAIT_MS_MAX } = {}): Promise<VerifyResponse> {
  for (let waitedMs = 0; ; waitedMs += REPAIR_POLL_MS) {
    const answer = await db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(replay)
    if (answer !== undefined) return answer
    if (waitedMs >= patienceMs) throw new RepairIsOpen()
    await sleep(REPAIR_POLL_MS)
  }
}

async function replay(tx: Database): Promise<VerifyResponse | undefined> {
  await sql`set local statement_timeout = ${sql.lit(`${REPLAY_MINUTES_MAX}min`)}`.execute(tx)
  if ((await openRepair(tx)) !== undefined) return undefined
  const { rows } = await sql<{ events: string; horizon: Date }>`
    select horizon, (select count(*) from interaction) + (select count(*) from search) as events from log_horizon`.execute(tx)
  const drift = [...(await hourDrift(tx)), ...(await popularityDrift(tx)), ...(await shopperDrift(tx))]
  return {
    drift: drift.slice(0, DRIFT_MAX),
    events: Number(rows[0]!.events),
    horizon: rows[0]!.horizon.toISOString(),
  }
}

/** Every counted product event of the log as cells of product, hour and type. */
const replayedCells = cellsOf(countedEvents, sql`, max(e.scored_at) as scored_at`)

function hourDrift(tx: Database): Promise<Drift[]> {
  return compare(tx, {
    table: 'product_hour',
    key: ['product_id', 'hour', 'event_type'],
    expected: replayedCells,
    cells: [exact('events'), { column: 'decayed', tolerance: sql`e.decayed` }],
  })
}

function popularityDrift(tx: Database): Promise<Drift[]> {
  return compare(tx, {
    table: 'product_popularity',
    key: ['product_id'],
    expected: sql`
      select * from (
        select c.product_id, ${scoreOf}, ${trendingOf}, ${trendingSpreadOf}, ${countersOf}, sum(c.events), max(c.last_at), max(c.scored_at)
        from (${replayedCells}) c cross join popularity_rules r ${weighed}
        group by c.product_id
      ) f (product_id, score_micros, trending, spread, ${sql.raw(COUNTERS.join(', '))}, interaction_count, last_interaction, date_updated)`,
    cells: [
      exact('score_micros'),
      { column: 'trending', tolerance: sql`e.spread` },
      ...COUNTERS.map(exact),
      exact('interaction_count'),
      exact('last_interaction'),
      exact('date_updated'),
    ],
  })
}

function shopperDrift(tx: Database): Promise<Drift[]> {
  return compare(tx, {
    table: 'shopper_product',
    key: ['shopper_id', 'product_id', 'event_type'],
    expected: sql`
      select ${shopperOf(sql`i.account_id`, sql`i.session_id`)} as shopper_id, i.ref_id as product_id, i.event_type,
        count(*)::int as events, max(i.occurred_at) as last_at
      from interaction i join interaction_batch b using (batch_id)
      where not i.is_category and b.fed_at is not null
      group by 1, 2, 3`,
    cells: [exact('events'), exact('last_at')],
  })
}

interface Cell {
  column: string
  /** What the difference may be TOLERANCE of; exact when absent. */
  tolerance?: ReturnType<typeof sql>
}

function exact(column: string): Cell {
  return { column }
}

/** Lists each cell of a table (s) that differs from what is expected (e), and each row that only one of them has. */
async function compare(
  tx: Database,
  options: { table: string; key: string[]; expected: ReturnType<typeof sql>; cells: Cell[] },
): Promise<Drift[]> {
  const { table, key, expected, cells } = options
  const keys = sql.join(key.map((column) => sql.ref(column)))
  const keyOf = sql.join(key.flatMap((column) => [sql.lit(column), sql`${sql.ref(column)}::text`]))
  const compared = cells.map(({ column, tolerance }) => {
    const stored = sql`s.${sql.ref(column)}`
    const wanted = sql`e.${sql.ref(column)}`
    // NOT (… <= …), because a stored NaN is larger than everything.
    const differs = tolerance
      ? sql`not abs(${stored} - ${wanted}) <= ${TOLERANCE}::float8 * ${tolerance}`
      : sql`${stored} is distinct from ${wanted}`
    return sql`(${sql.lit(column)}, ${stored}::text, ${wanted}::text, s.there and e.there and ${differs})`
  })
  const { rows } = await sql<Drift>`
    select ${sql.lit(table)} as aggregate, json_build_object(${keyOf}) as key, cell.name as "column", cell.stored, cell.expected
    from (select *, true as there from ${sql.table(table)}) s
    full join (select *, true as there from (${expected}) x) e using (${keys})
    cross join lateral (values
      ('*', case when s.there then 'a row' end, case when e.there then 'a row' end, s.there is null or e.there is null),
      ${sql.join(compared)}) as cell (name, stored, expected, differs)
    where cell.differs order by ${keys}, cell.name limit ${DRIFT_MAX}`.execute(tx)
  return rows
}
