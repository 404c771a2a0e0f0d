import { sql } from 'kysely'
import type { Queryable } from './connection.ts'
import { onlyRow } from './rows.ts'

/** By what all transactions of a pool have in common. */
const known = new WeakMap<object, Promise<boolean>>()

/**
 * Whether `migrate --citus` has prepared the database. Its tables are on several nodes then and have no triggers, so statements do what triggers do
 * elsewhere. It asks once for each pool: the command refuses to work while a process is connected.
 */
export function isDistributed(db: Queryable): Promise<boolean> {
  const { adapter } = db.getExecutor()
  const answer = known.get(adapter) ?? ask(db)
  known.set(adapter, answer)
  answer.catch(() => known.delete(adapter))
  return answer
}

/** The trigger itself is looked for, so that its work is never done twice and never left out. */
async function ask(db: Queryable): Promise<boolean> {
  const result = await sql<{ isDistributed: boolean }>`
    select not exists (
      select from pg_trigger where tgrelid = 'catalog.product'::regclass and tgname = 'product_metrics_insert') as "isDistributed"`.execute(
    db,
  )
  return onlyRow(result).isDistributed
}
