import { isUtf8 } from 'node:buffer'
import { type Context, TerminalError } from '@restatedev/restate-sdk'
import { BODY_BYTES_MAX } from '../../src/contract/interaction.ts'
import { type Call, callOf } from '../../src/store/log/call.ts'

/** The call that a handler works on, when its body is one that may be stored: bytes that are no UTF-8 would become other ids. */
export function checkedCall(ctx: Context): Call {
  const { id, body } = ctx.request()
  if (body.length > BODY_BYTES_MAX) throw new TerminalError('the body is over 16 MiB', { errorCode: 413 })
  if (!isUtf8(body)) throw new TerminalError('the body is not UTF-8', { errorCode: 400 })
  return callOf(id.toString(), body)
}
