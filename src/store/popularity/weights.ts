import { sql } from 'kysely'
import type { WeightsInForce } from '../../contract/weights.ts'
import type { Queryable } from '../database/connection.ts'
import { utc } from '../database/json.ts'

/** The weights in force with the rest of the rules; undefined in a database without rules. */
export async function weightsInForce(db: Queryable): Promise<WeightsInForce | undefined> {
  const { rows } = await sql<WeightsInForce>`
    select t.version, t.name, r.half_life_hours, r.window_hours as trending_hours,
      (${sql.raw(utc('t.created_at'))})::json as changed_at,
      (select coalesce(json_agg(json_build_object('event_type', w.event_type, 'weight', w.weight_micros / 1e6::float8)
          order by w.weight_micros desc, w.event_type), '[]')
        from weight w where w.version = r.weights_version) as weights
    from popularity_rules r join weight_table t on t.version = r.weights_version`.execute(db)
  return rows[0]
}
