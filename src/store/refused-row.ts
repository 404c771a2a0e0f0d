import { sql } from 'kysely'
import { isMissingPartition, isRefusal, type Store } from './database.ts'
import {
  given,
  givenColumns,
  INTERACTION_COLUMNS,
  type NewInteraction,
  type NewRejection,
  withProduct,
} from './interaction-row.ts'

/** Halves the rows until each refused one stands alone. Every trial is rolled back. */
export async function findRefused(db: Store, rows: readonly NewInteraction[]): Promise<NewRejection[]> {
  const error = await trial(db, rows)
  if (error === undefined || rows.length === 0) return []
  if (!isRefusal(error) || isMissingPartition(error)) throw error
  if (rows.length === 1) {
    const { index, item } = rows[0]!
    return [{ index, code: 'refused', field: null, message: `refused by PostgreSQL: ${(error as Error).message}`, item }]
  }
  const middle = rows.length >> 1
  return [...(await findRefused(db, rows.slice(0, middle))), ...(await findRefused(db, rows.slice(middle)))]
}

async function trial(db: Store, rows: readonly NewInteraction[]): Promise<unknown> {
  const tx = await db.startTransaction().execute()
  try {
    await sql`
      with given as (${given(rows)})
      insert into interaction (${INTERACTION_COLUMNS})
      select ${givenColumns(sql`0`)} from given ${withProduct}
      where given.occurred_at >= (select horizon from log_horizon)
      order by given.occurred_at, given.event_id, given.index
      on conflict (occurred_at, event_id) do nothing`.execute(tx)
    return undefined
  } catch (error) {
    return error
  } finally {
    await tx.rollback().execute()
  }
}
