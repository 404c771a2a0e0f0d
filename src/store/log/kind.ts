import { type RawBuilder, sql } from 'kysely'

/** The kind of the rows of a batch b. The release before this one wrote only the boolean. */
export const KIND_OF_BATCH = sql.raw(`coalesce(b.kind, case when b.is_search then 'search' else 'interaction' end)`)

/** The kind of a rejected event r of a batch b, in the same way. */
export const KIND_OF_REJECTED = kindOfRejected(KIND_OF_BATCH)

/** The same without a batch b: only for an event that has no kind of its own its batch is looked up, because few are from before kinds. */
export const KIND_WITHOUT_BATCH = kindOfRejected(
  sql`(select ${KIND_OF_BATCH} from interaction_batch b where b.batch_id = r.batch_id)`,
)

function kindOfRejected(kindOfBatch: RawBuilder<unknown>) {
  return sql`coalesce(r.kind, case when r.is_payment then 'payment' end, ${kindOfBatch})`
}
