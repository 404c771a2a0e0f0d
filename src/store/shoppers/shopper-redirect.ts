import { sql } from 'kysely'
import { type Shopper, shopperIdOf } from '../../contract/fields/shopper-id.ts'
import { SESSIONS_MAX } from '../../ranking/shopper-event.ts'
import type { Queryable } from '../database/connection.ts'

/**
 * The ids under which a shopper's events are kept. An account: its own, and those of its sessions. A session that belongs to an account:
 * those of the account, because it is the same person. Any other session: its own. Costs one or two index probes. The text begins with
 * `select`, so that each connection plans it once.
 */
export async function shopperIdsOf(db: Queryable, shopper: Shopper): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from (with account as (
      select ${shopper.id}::text as id where ${shopper.kind} = 'account'
      union all
      select account_id from shopper_redirect where session_id = ${shopper.id} and ${shopper.kind} = 'session'
    )
    select 'account:' || id as id from account
    union all
    (select 'session:' || r.session_id from shopper_redirect r join account a on r.account_id = a.id
      order by r.merged_at desc, r.session_id limit ${SESSIONS_MAX})) shopper`.execute(db)
  return rows.length > 0 ? rows.map(({ id }) => id) : [shopperIdOf(shopper)]
}
