import { Id } from './id.ts'

/** How a request names its shopper: by an account, by a session, or by both when the session is of the account. */
export const namedShopper = {
  account_id: Id.optional().describe('The shopper who is signed in. account_id or session_id is needed.'),
  session_id: Id.optional().describe('The visit of the shopper. With account_id, a session that was merged into the account.'),
}

export interface NamedShopper {
  account_id?: string | undefined
  session_id?: string | undefined
}

export function namesShopper({ account_id, session_id }: NamedShopper): boolean {
  return account_id !== undefined || session_id !== undefined
}

export const NO_SHOPPER = { error: 'account_id or session_id is needed', path: ['account_id'] }
