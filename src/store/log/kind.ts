import { sql } from 'kysely'

/** The kind of the rows of a batch b. The release before this one wrote only the boolean. */
export const KIND_OF_BATCH = sql.raw(`coalesce(b.kind, case when b.is_search then 'search' else 'interaction' end)`)

/** The kind of a rejected event r of a batch b, in the same way. */
export const KIND_OF_REJECTED = sql`coalesce(r.kind, case when r.is_payment then 'payment' end, ${KIND_OF_BATCH})`
