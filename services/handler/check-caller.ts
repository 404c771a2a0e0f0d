import type { Context } from '@restatedev/restate-sdk'
import { isLoopback } from '../../src/admission/loopback.ts'
import { DecidedError } from '../../src/contract/decided-error.ts'

/**
 * Refuses a call that a browser makes for a page of another site, because a page may reach the ingress of the machine that shows it.
 * Services send neither header. Restate journals the headers with the input, so every attempt decides alike.
 * @throws DecidedError `forbidden`
 */
export function refuseForeignPage(ctx: Context): void {
  const { headers } = ctx.request()
  const origin = headers.get('origin')
  const isForeign = origin === undefined ? headers.get('sec-fetch-site') === 'cross-site' : !isLoopback(origin)
  if (isForeign) throw new DecidedError('forbidden', 'calls of web pages elsewhere are refused')
}
