import { sql } from 'kysely'

/** The shopper of an event: its account, or its session when it has no account. */
export function shopperOf(accountId: ReturnType<typeof sql>, sessionId: ReturnType<typeof sql>) {
  return sql`coalesce('account:' || ${accountId}, 'session:' || ${sessionId})`
}
