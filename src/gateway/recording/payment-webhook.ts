import type { FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import type { AdaptedCallback, PaymentAdapter } from '../../contract/payment-adapter.ts'
import { CALLBACKS_MAX, PaymentCallback } from '../../contract/payment.ts'
import { pathOf, plainMessage } from '../../contract/fields/zod-messages.ts'
import { requireSignature } from '../access/webhook-signature.ts'

/** The header of callbacks in Footfall's own form. */
export const SIGNATURE = 'x-signature'

/** Checks a provider's signature, in the adapter's way or in Footfall's own. @throws DecidedError when it does not match. */
export async function requireAdapterSignature(
  { provider, signatureHeader: name = SIGNATURE, secrets = [], isSigned }: PaymentAdapter,
  headers: FastifyRequest['headers'],
  body: Buffer,
): Promise<void> {
  if (isSigned === undefined) {
    requireSignature({ name, header: headers[name], body, secrets, nowMs: Date.now() })
  } else if (!(await isSigned({ headers, body, nowMs: Date.now() }))) {
    throw new DecidedError('unauthorized', `this was not signed by ${provider}`)
  }
}

/**
 * The callbacks that the adapter makes of a provider's webhook. @throws DecidedError when they are not as the contract describes: a
 * provider takes 200 for the end, so it must get an error, and sends the webhook again until the adapter is repaired.
 */
export async function adaptedCallbacks(adapter: PaymentAdapter, body: unknown): Promise<object[]> {
  const adapted = await callbacksOf(adapter, body)
  const callbacks = adapted.map((callback) => ({ ...callback, provider: adapter.provider }))
  checkCallbacks(callbacks)
  return callbacks
}

async function callbacksOf(adapter: PaymentAdapter, body: unknown): Promise<readonly AdaptedCallback[]> {
  try {
    return await adapter.callbacksOf(body as never)
  } catch (cause) {
    throw new DecidedError('invalid_request', `the adapter: ${(cause as Error).message}`, { cause })
  }
}

function checkCallbacks(callbacks: readonly unknown[]): void {
  const details = callbacks.flatMap((callback, index) => {
    const issues = PaymentCallback.safeParse(callback, { error: plainMessage }).error?.issues ?? []
    return issues.map((issue) => ({ field: [index, ...pathOf(issue)].join('.'), message: issue.message }))
  })
  if (callbacks.length > CALLBACKS_MAX)
    throw new DecidedError('invalid_request', `the adapter made more than ${CALLBACKS_MAX} callbacks`)
  const [first] = details
  if (first === undefined) return
  throw new DecidedError('invalid_request', `the adapter's callbacks: ${first.field} ${first.message}`, { details })
}
