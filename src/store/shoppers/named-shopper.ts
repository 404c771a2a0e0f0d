import { sql } from 'kysely'
import { invalidField } from '../../contract/decided-error.ts'
import type { NamedShopper } from '../../contract/fields/named-shopper.ts'
import type { Shopper } from '../../contract/fields/shopper-id.ts'
import type { Queryable } from '../database/connection.ts'

/** The shopper that a request names, if the catalog of sessions need not be asked: by an account, or a session, alone. */
export function shopperNamedAlone({ account_id, session_id }: NamedShopper): Shopper | undefined {
  if (account_id !== undefined && session_id !== undefined) return undefined
  return account_id === undefined ? { kind: 'session', id: session_id! } : { kind: 'account', id: account_id }
}

/**
 * The shopper that a request names. With both, the account, because its events include those of its sessions. Costs an index probe with
 * both. @throws DecidedError when the session was not merged into the account: then the two may be different people.
 */
export async function shopperNamed(db: Queryable, { account_id, session_id }: NamedShopper): Promise<Shopper> {
  const alone = shopperNamedAlone({ account_id, session_id })
  if (alone !== undefined) return alone
  const { rows } = await sql`
    select from shopper_redirect where session_id = ${session_id!} and account_id = ${account_id!}`.execute(db)
  if (rows.length > 0) return { kind: 'account', id: account_id! }
  throw invalidField('session_id', 'is not a session of the account; merge it first, or name the account or the session alone')
}
