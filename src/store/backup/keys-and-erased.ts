import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

/** A key without its secret. */
export interface ListedKey {
  key_id: string
  name: string
  created_at: string
  /** Null while it works. */
  revoked_at: string | null
}

/** A person who was erased, by the keyed hash of its id. */
export interface ErasedPerson {
  id_hmac: string
  /** Names the key of ERASURE_KEY_FILE. */
  key_id: string
  erased_at: string
}

/** What a restore of an older state would undo. Names no person. */
export interface KeysAndErased {
  keys: ListedKey[]
  erased: ErasedPerson[]
}

const isoOf = (column: string) => sql`to_char(${sql.ref(column)}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

export async function readKeysAndErased(db: Queryable): Promise<KeysAndErased> {
  const keys = await sql<ListedKey>`
    select key_id, name, ${isoOf('created_at')} as created_at, ${isoOf('revoked_at')} as revoked_at from api_key
    order by api_key.created_at, key_id`.execute(db)
  const erased = await sql<ErasedPerson>`
    select encode(id_hmac, 'hex') as id_hmac, encode(key_id, 'hex') as key_id, ${isoOf('erased_at')} as erased_at
    from shopper_tombstone order by tombstone_no`.execute(db)
  return { keys: keys.rows, erased: erased.rows }
}
