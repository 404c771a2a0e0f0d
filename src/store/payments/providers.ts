import { sql } from 'kysely'

/** The sources of payments: the entities of their events are orders. One probe of an index for each source. */
export const PROVIDERS = sql`array(select source_id from event_source where (select true from payment_callback where provider = slug limit 1))`
