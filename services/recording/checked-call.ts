import { isUtf8 } from 'node:buffer'
import type { Context } from '@restatedev/restate-sdk'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { BODY_BYTES_MAX } from '../../src/contract/interaction.ts'
import { CALL_HEADER, RECEIVED_HEADER } from '../../src/contract/recorder.ts'
import { type Call, callOf } from '../../src/store/log/call.ts'

/**
 * The call of a handler; of one that was sent on, the call that it was before. @throws DecidedError for a body over 16 MiB, or one that is
 * not UTF-8, which would change its ids.
 */
export function checkedCall(ctx: Context): Call {
  const { body } = ctx.request()
  if (body.length > BODY_BYTES_MAX) throw new DecidedError('too_large', 'the body is over 16 MiB')
  if (!isUtf8(body)) throw new DecidedError('invalid_request', 'the body is not UTF-8')
  return callOfRequest(ctx)
}

/** The call of a handler; of one that was sent on or brought back, the call that it was before. */
export function callOfRequest(ctx: Context): Call {
  const { id, body, headers } = ctx.request()
  const [invocationId = id.toString(), sha256] = headers.get(CALL_HEADER)?.split(' ') ?? []
  return sha256 === undefined ? callOf(invocationId, body) : { invocationId, bodySha256: Buffer.from(sha256, 'hex') }
}

const firstAttempts = new WeakSet<Context>()

/** Whether this is the first attempt of a call to get to its statements, as `receivedMsOf` saw. */
export function isFirstAttempt(ctx: Context): boolean {
  return firstAttempts.has(ctx)
}

/** When the call came; when it came first, of one that was sent on. In the journal as `ctx.date.now()` is, which the release before had. */
export async function receivedMsOf(ctx: Context): Promise<number> {
  const received = Number(ctx.request().headers.get(RECEIVED_HEADER))
  if (received > 0) return received
  return ctx.run(() => {
    firstAttempts.add(ctx)
    // oxlint-disable-next-line no-restricted-globals -- the result is in the journal
    return Date.now()
  })
}
