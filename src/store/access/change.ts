import { createHmac } from 'node:crypto'
import { sql } from 'kysely'
import type { AccessChanged, SignedChange } from '../../contract/access.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import type { NewApiKey } from './api-key.ts'

/** Who asks for a change: the key, the seller of a token, or, as long as no key was made, this machine. */
export type ChangeCaller = { key_id: string } | { seller_id: string } | Record<string, never>

/** A change of keys or sessions. Of secrets it has the hashes, in hex. */
export type AccessChange =
  | { change: 'create_key'; key: NewKeyRow }
  | { change: 'revoke_key'; key_id: string }
  | { change: 'start_session'; session_id: string; id_sha256: string; expires_at?: string }
  | { change: 'end_session'; session_id: string }
  | { change: 'note_use'; keys: Record<string, string>; sessions: Record<string, string> }

/** A key as the function stores it. */
export interface NewKeyRow {
  key_id: string
  secret_sha256: string
  name: string
  scopes: NewApiKey['scopes']
  is_publishable: boolean
  origins: readonly string[]
  seller_id: string | null
  requests_per_minute: number | null
}

/** Signs changes, so that nothing between the gateway and the database can ask for another one. */
export type SignChange = (change: AccessChange, caller: ChangeCaller) => Promise<SignedChange>

/** Signs with the secret of this database, which the endpoint cannot read. */
export function createSigner(db: Queryable): SignChange {
  let known: Buffer | undefined
  return async (change, caller) => {
    known ??= await signingSecret(db)
    const request = JSON.stringify({ at: new Date().toISOString(), caller, ...change })
    return { request, signature: createHmac('sha256', known).update(request).digest('hex') }
  }
}

async function signingSecret(db: Queryable): Promise<Buffer> {
  return onlyRow(await sql<{ secret: Buffer }>`select secret from access.signing_key`.execute(db)).secret
}

type Answer = AccessChanged | { refused: DecidedError['code']; message: string }

/**
 * Makes a signed change, with its audit entry. The same change again changes nothing. @throws DecidedError when it is not signed, or its
 * caller may not ask for it.
 */
export async function changeAccess(db: Queryable, { request, signature }: SignedChange): Promise<AccessChanged> {
  const { answer } = onlyRow(await sql<{ answer: Answer }>`select change_access(${request}, ${signature}) as answer`.execute(db))
  if ('refused' in answer) throw new DecidedError(answer.refused, answer.message)
  return answer
}
