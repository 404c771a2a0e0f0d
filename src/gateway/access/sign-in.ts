import type { FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import { clientAddress } from '../http/client-address.ts'
import type { Access } from './access.ts'
import type { AccessBudgets } from './budgets.ts'
import { type Caller, sellerCaller } from './caller.ts'
import { isToken } from './seller-tokens.ts'

/** Wrong tries of one client address in a minute. */
export const WRONG_TRIES_MAX = 10
/** Sign-ins with one key, or as one seller, in a minute. */
export const SIGN_INS_MAX = 60

/** What a person shows in order to sign in: a key, or the token of a seller. */
export interface Shown {
  key?: string | undefined
  token?: string | undefined
}

/** For whom a session is. */
export interface SignedIn {
  caller: Caller
  /** When the token expires. */
  expiresAt: Date | undefined
}

/** Recognises the person who signs in. @throws DecidedError when the key or the token is not good, or was tried too often. */
export type SignIn = (request: Pick<FastifyRequest, 'ip'>, shown: Shown) => Promise<SignedIn>

export function createSignIn({ keys, sellerOfToken }: Access, budgets: AccessBudgets): SignIn {
  const { wrongTries, signIns } = budgets
  const signedIn = async ({ key, token }: Shown): Promise<SignedIn> => {
    const text = (token ?? key ?? '').trim()
    if (sellerOfToken !== undefined && isToken(text)) {
      const { sellerId, expiresAt } = await sellerOfToken(text)
      return { caller: sellerCaller(sellerId), expiresAt }
    }
    const caller = token === undefined ? (await keys()).find(text) : undefined
    if (caller === undefined) throw new DecidedError('unauthorized', 'the key is not known, or was revoked')
    if (caller.isPublishable) {
      throw new DecidedError('forbidden', 'the key is publishable, and can only send events', {
        details: { is_publishable: true },
      })
    }
    return { caller, expiresAt: undefined }
  }
  return async ({ ip }, shown) => {
    const address = clientAddress(ip)
    // Counted before, so that tries at the same time count too.
    if ((await wrongTries.take(address, 1, WRONG_TRIES_MAX)).taken === 0) throw limited(`${WRONG_TRIES_MAX} wrong tries`)
    const who = await signedIn(shown).catch((error: unknown) => {
      // Only a wrong key or token is a wrong try.
      if (!(error instanceof DecidedError) || error.code === 'unavailable') wrongTries.giveBack(address, 1)
      throw error
    })
    wrongTries.giveBack(address, 1)
    if ((await signIns.take(who.caller.keyId, 1, SIGN_INS_MAX)).taken === 0) throw limited(`${SIGN_INS_MAX} sign-ins of a key`)
    return who
  }
}

function limited(what: string): DecidedError {
  return new DecidedError('rate_limited', `at most ${what} a minute are taken; try again in a minute`)
}
