import type { Context } from '@restatedev/restate-sdk'
import { isLoopback } from '../../src/admission/loopback.ts'
import { isOperatorToken } from '../../src/admission/operator-token.ts'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { OPERATOR_TOKEN_HEADER } from '../../src/contract/handler.ts'

/*
 * Checks of the callers of public handlers. Restate journals the headers of a call with its input, so every attempt decides alike,
 * as long as a token that is replaced stays valid until the calls with it have ended.
 */

/**
 * Refuses a call that a browser makes for a page of another site, because a page may reach the ingress of the machine that shows it.
 * Services send neither header. @throws DecidedError `forbidden`
 */
export function refuseForeignPage(ctx: Context): void {
  const { headers } = ctx.request()
  const origin = headers.get('origin')
  const isForeign = origin === undefined ? headers.get('sec-fetch-site') === 'cross-site' : !isLoopback(origin)
  if (isForeign) throw new DecidedError('forbidden', 'calls of web pages elsewhere are refused')
}

/** Refuses a call without one of the tokens, if there are any. @throws DecidedError `forbidden` */
export function requireOperator(ctx: Context, tokens: readonly string[]): void {
  const token = ctx.request().headers.get(OPERATOR_TOKEN_HEADER) ?? ''
  if (tokens.length === 0 || isOperatorToken(token, tokens)) return
  throw new DecidedError(
    'forbidden',
    `only operators may call this: the header ${OPERATOR_TOKEN_HEADER} must have the token of OPERATOR_TOKEN_FILE`,
  )
}
