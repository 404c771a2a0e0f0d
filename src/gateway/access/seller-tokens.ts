import { createRemoteJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from 'jose'
import { DecidedError } from '../../contract/decided-error.ts'
import { Id } from '../../contract/fields/id.ts'
import { shareRunning } from '../caching/share-running.ts'

/** Whom a token speaks for. */
export interface TokenSeller {
  sellerId: string
  expiresAt: Date
}

/** The seller that a token names. @throws DecidedError for a token that is not valid, or names none. */
export type SellerOfToken = (token: string) => Promise<TokenSeller>

export interface TokenSettings {
  /** Where the issuer publishes its keys. */
  jwksUrl: string
  issuer: string
  audience: string
  /** The claim that names the seller. */
  claim: string
}

/** The greatest age of the issuer's keys: so long a key that the issuer withdrew stays good at most. */
export const ISSUER_KEYS_MS_MAX = 300_000
/** The pause between two reads of the keys: tokens with unknown keys, which any caller can make, and an outage must not cause more. */
export const ISSUER_ASKED_MS_MIN = 5_000
const FETCH_MS_MAX = 2_000
const CLOCK_SKEW_SECONDS = 5

/** Signatures that only the issuer can make. MACs are missing, because its keys are public. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

/** Whether a text has the form of a signed JWT, also of one with an empty signature, so that it is refused as a token. */
export function isToken(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)
}

/** Verifies tokens with the issuer's keys. They are read immediately, so that a wrong address shows at the start. */
export function createSellerTokens(settings: TokenSettings, onUnavailable: (error: unknown) => void): SellerOfToken {
  const { jwksUrl, issuer, audience, claim } = settings
  const keyOf = issuerKeys(jwksUrl, onUnavailable)
  const demands = { issuer, audience, algorithms: ALGORITHMS, requiredClaims: ['exp'], clockTolerance: CLOCK_SKEW_SECONDS }
  return async (token) => {
    const { payload } = await jwtVerify(token, keyOf, demands).catch((error: unknown) => {
      throw problemOfToken(error)
    })
    const seller = Id.safeParse(payload[claim])
    if (!seller.success) throw new DecidedError('forbidden', `the token names no seller in its claim ${claim}`)
    // A token without an expiry time was refused.
    return { sellerId: seller.data, expiresAt: new Date(payload.exp! * 1_000) }
  }
}

/**
 * jose fetches the keys and picks one; when to fetch is decided here. By itself jose has no keys once they are old and the issuer is
 * away, and asks a failing issuer again for each token.
 */
function issuerKeys(url: string, onUnavailable: (error: unknown) => void): JWTVerifyGetKey {
  const keySet = createRemoteJWKSet(new URL(url), {
    cacheMaxAge: Infinity,
    cooldownDuration: Infinity,
    timeoutDuration: FETCH_MS_MAX,
  })
  let askedMs = -Infinity
  const ask = shareRunning(async () => {
    try {
      await keySet.reload()
    } catch (cause) {
      onUnavailable(cause)
      throw new DecidedError('unavailable', 'the issuer of the token does not answer; try again', { cause })
    } finally {
      askedMs = performance.now()
    }
  }, ISSUER_ASKED_MS_MIN)
  ask().catch(() => undefined)

  return async (header, token) => {
    // Without a greatest age keys are fresh once they were read.
    if (!keySet.fresh) await ask()
    else if (performance.now() - askedMs >= ISSUER_KEYS_MS_MAX) await ask().catch(() => undefined)
    try {
      return await keySet(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await ask()
      return keySet(header, token)
    }
  }
}

const UNREADABLE = 'the token cannot be read'

const BY_CODE: Record<string, string> = {
  [errors.JWTExpired.code]: 'the token has expired',
  [errors.JOSEAlgNotAllowed.code]: 'the token is not signed in a way that is accepted',
  [errors.JWKSNoMatchingKey.code]: 'the token is not signed with a key of its issuer',
  [errors.JWSSignatureVerificationFailed.code]: 'the token is not signed with a key of its issuer',
  [errors.JWKSMultipleMatchingKeys.code]: 'the token does not say with which key it is signed (kid)',
}

const BY_CLAIM: Record<string, string> = {
  iss: 'the token is of another issuer',
  aud: 'the token is for another audience',
  nbf: 'the token is not valid yet',
  exp: 'the token does not say when it expires (exp)',
}

/** What is wrong with a token, without any part of its content. An error that the token does not cause stays as it is. */
function problemOfToken(error: unknown): unknown {
  if (!(error instanceof errors.JOSEError) || error instanceof errors.JWKSInvalid) return error
  const sentence = error instanceof errors.JWTClaimValidationFailed ? BY_CLAIM[error.claim] : BY_CODE[error.code]
  return new DecidedError('unauthorized', sentence ?? UNREADABLE)
}
