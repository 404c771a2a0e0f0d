import { sql } from 'kysely'
import { invalidField } from '../../contract/decided-error.ts'
import { instantOf } from '../../contract/fields/time.ts'
import { KINDS_MAX, type KindsMeta, type KindsRequest } from '../../contract/product-kind.ts'
import { compareBytes } from '../../ranking/byte-order.ts'
import { spanOf } from '../../ranking/span.ts'
import type { Queryable } from '../database/connection.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import { at, cellsIn } from './rising.ts'
import { rolledToMsOf } from './roll-up.ts'

export type ProductKind = 'category' | 'brand'

export interface KindCount {
  name: string
  products: number
  events: number
  change: number | null
}

/** The 10,000 kinds with the most events, and the window that they are of. */
export interface KindCounts {
  rows: KindCount[]
  fromMs: number
  toMs: number
}

/**
 * Categories or brands with their products and the events of the last days; the most events first, ties by name. Costs one pass over the hours
 * of both windows, and one over the catalog.
 */
export async function kindCounts(
  db: Queryable,
  { kind, days, nowMs }: { kind: ProductKind; days: number; nowMs: number },
): Promise<KindCounts> {
  const rolledToMs = await rolledToMsOf(db)
  const fromOf = (windowDays: number) => spanOf({ windowDays, asOfMs: undefined, nowMs, rolledToMs }).fromMs!
  const [fromMs, beforeMs] = [fromOf(days), fromOf(2 * days)]
  const name = sql.ref(`p.${kind}`)
  const { rows } = await sql<KindCount>`
    with product_events as materialized (
      select c.product_id, coalesce(sum(c.events) filter (where c.hour >= ${at(fromMs)}), 0) as events,
        coalesce(sum(c.events) filter (where c.hour < ${at(fromMs)}), 0) as before
      from ${cellsIn({ isOfHours: beforeMs >= rolledToMs })} c where c.hour >= ${at(beforeMs)} group by 1
    )
    select ${name} as name, (count(*) filter (where p.status <> 'deleted'))::float8 as products, coalesce(sum(e.events), 0)::float8 as events,
      round((coalesce(sum(e.events), 0) - coalesce(sum(e.before), 0)) * 100.0 / nullif(sum(e.before), 0), 2)::float8 as change
    from catalog.product p left join product_events e using (product_id)
    where ${name} is not null group by 1 having count(*) filter (where p.status <> 'deleted') > 0
    order by 3 desc, 1 limit ${sql.lit(KINDS_MAX)}`.execute(db)
  return { rows, fromMs, toMs: nowMs }
}

const KINDS = 'product kinds'

/** A page of the counts. @throws DecidedError for a cursor of another list */
export function kindPage(
  { rows, fromMs, toMs }: KindCounts,
  kind: ProductKind,
  { days, limit, cursor }: KindsRequest,
): { rows: KindCount[]; meta: KindsMeta } {
  const after = cursor === undefined ? undefined : positionOf(cursor, kind, days)
  const first = after === undefined ? 0 : rows.findIndex((row) => isBehind(row, after))
  const shown = first === -1 ? [] : rows.slice(first, first + limit)
  const last = first !== -1 && first + limit < rows.length ? shown.at(-1) : undefined
  const next_cursor = last === undefined ? null : encodeCursor(KINDS, [kind, String(days), String(last.events), last.name])
  return { rows: shown, meta: { from: instantOf(fromMs), to: instantOf(toMs), next_cursor } }
}

interface Position {
  events: number
  name: string
}

function isBehind({ events, name }: KindCount, after: Position): boolean {
  return events < after.events || (events === after.events && compareBytes(name, after.name) > 0)
}

function positionOf(cursor: string, kind: ProductKind, days: number): Position {
  const [ofKind, ofDays, events = '', name] = decodeCursor(KINDS, cursor) ?? []
  if (ofKind !== kind || ofDays !== String(days) || !/^\d{1,16}$/.test(events) || name === undefined) {
    throw invalidField('cursor', 'is not a cursor of this list with these days')
  }
  return { events: Number(events), name }
}
