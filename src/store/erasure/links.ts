import { sql } from 'kysely'
import { eraseRestored } from '../archive/restored-month.ts'
import { eraseKeys } from '../archive/shopper-key.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { addErased, advance, type ErasureAt } from './run-machine.ts'

/**
 * Deletes the keys of the person in the archive, and gives the rows of restored months, the payments and the merged sessions their pseudonyms. By these the ids of a person are found, so this is the last part and one transaction: after
 * a run that fails, the next one of any id of the person finds all of them again, or has nothing left to do.
 */
export async function eraseLinks(db: Database, at: ErasureAt): Promise<void> {
  const { runId } = at
  await db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    // A restore that has a key ends before, and its rows are found; a later one has none.
    await addErased(tx, runId, 'archive_shopper', await eraseKeys(tx, runId))
    await addErased(tx, runId, 'restored', await eraseRestored(tx, runId))
    const result = await sql<{ erased: string }>`select erase_payments(${runId}::uuid) as erased`.execute(tx)
    await addErased(tx, runId, 'payment_callback', onlyRow(result).erased)
    await addErased(tx, runId, 'shopper_redirect', await moveRedirects(tx, runId))
    await advance(tx, at, null)
  })
}

/** The sessions stay those of one account, because what is computed per person stays the same then. */
async function moveRedirects(tx: Queryable, runId: string): Promise<number> {
  const { numAffectedRows } = await sql`
    update shopper_redirect r set session_id = s.pseudonym, account_id = a.pseudonym from erasure_shopper s, erasure_shopper a
    where s.run_id = ${runId}::uuid and a.run_id = s.run_id
      and s.shopper_id = 'session:' || r.session_id and a.shopper_id = 'account:' || r.account_id`.execute(tx)
  return Number(numAffectedRows ?? 0)
}
