import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import {
  type Listed,
  type ListRead,
  listConditions,
  ordered,
  type PopularPosition,
  type PopularQuery,
  valuesOf,
} from './popular-order.ts'
import { besideRow, jsonOfListed, jsonOfProduct } from './popularity-json.ts'
import { listOfSpan } from './span-list.ts'

interface PopularRow {
  position: PopularPosition
  /** A PopularProduct. */
  json: string
}

/**
 * The rows of a list after a position, best first; ties by id. A list of all time is one index range. A list of a span adds up the hours
 * of the span, with categories only those of their products, and never reads the log.
 */
export async function popularRows(db: Queryable, query: PopularQuery): Promise<PopularRow[]> {
  const { span } = query
  const { rows } = await (span === undefined ? listOfAllTime(query) : listOfSpan(query, span, await isDistributed(db))).execute(
    db,
  )
  return rows.map(rowOf)
}

/** The same of what rises now, with the instant that it was computed for; undefined before the first time. One statement, as for other lists. */
export async function risingRows(
  db: Queryable,
  query: PopularQuery,
): Promise<{ rows: PopularRow[]; computedAt: Date | undefined }> {
  const { rows } = await sql<{ computedAt: Date | null } & (Listed | Record<keyof Listed, null>)>`
    select c.computed_at as "computedAt", p.* from (select) one left join product_rising_run c on true left join (${listOfAllTime(query)}) p on true
    order by p.place`.execute(db)
  const listed = rows.filter((row): row is typeof row & Listed => row.productId !== null)
  return { rows: listed.map(rowOf), computedAt: rows[0]?.computedAt ?? undefined }
}

function rowOf({ values, productId, json }: Listed): PopularRow {
  return { position: { values, productId }, json }
}

/** A list of the stored numbers of all time. */
function listOfAllTime(query: PopularQuery): ListRead {
  const isRising = query.mode === 'rising'
  const products = isRising
    ? sql`(select p.*, g.rising_score from product_rising g join product_popularity p using (product_id))`
    : sql`product_popularity`
  const json = isRising
    ? jsonOfProduct({ rising_score: 'p.rising_score', ...besideRow(query.expand) })
    : jsonOfListed(query.expand)
  const place = isRising ? sql`, row_number() over (order by p.rising_score desc, p.product_id) as place` : sql``
  return sql`
    select ${valuesOf(query.mode, 'p')} as "values", p.product_id as "productId", ${json} as json${place}
    from ${products} p cross join popularity_rules r where ${listConditions(query, sql`p.interaction_count`)} ${ordered(query)}`
}
