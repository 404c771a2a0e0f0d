import { sql } from 'kysely'
import { DAY_MS, HOUR_MS, instantOf } from '../../contract/fields/time.ts'
import type { Queryable } from '../database/connection.ts'

/** The end of the newest hour or day before an instant that has counted events of a product; undefined for none. */
export async function endOfCellBefore(db: Queryable, productId: string, beforeMs: number): Promise<number | undefined> {
  const newestOf = (table: string, column: string) => sql`
    (select c.${sql.ref(column)} from ${sql.table(table)} c
    where c.product_id = ${productId} and c.${sql.ref(column)} < ${instantOf(beforeMs)}::timestamptz
    order by c.${sql.ref(column)} desc limit 1)`
  const { rows } = await sql<{ hour: Date | null; day: Date | null }>`
    select ${newestOf('product_hour', 'hour')} as hour, ${newestOf('product_day', 'day')} as day`.execute(db)
  const { hour = null, day = null } = rows[0] ?? {}
  const ends = [...(hour === null ? [] : [hour.getTime() + HOUR_MS]), ...(day === null ? [] : [day.getTime() + DAY_MS])]
  return ends.length === 0 ? undefined : Math.max(...ends)
}
