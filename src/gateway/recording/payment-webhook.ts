import { types } from 'node:util'
import type { FastifyRequest } from 'fastify'
import { DecidedError, type FieldProblem } from '../../contract/decided-error.ts'
import type { PaymentAdapter, WebhookContext } from '../../contract/payment-adapter.ts'
import { CALLBACKS_MAX, PaymentCallback } from '../../contract/payment.ts'
import { readAs } from '../../contract/fields/read-as.ts'
import { pathOf, plainMessage } from '../../contract/fields/zod-messages.ts'
import { messageOf } from '../../contract/thrown.ts'
import { requireRecentSignature, requireSignature } from '../access/webhook-signature.ts'

/** The header of callbacks in Footfall's own form. */
export const SIGNATURE = 'x-signature'

/** How long an adapter may take for each of its answers. Providers wait 10 s and more. */
const ADAPTER_MS_MAX = 5_000
/** Wrong fields of an answer; the first ones are enough to repair an adapter. */
const DETAILS_MAX = 20
const FIELD_CHARACTERS_MAX = 200

/**
 * Whether the headers of a webhook show a signature; an adapter that does not name its header cannot tell. An adapter's own kind of
 * signature is known to no other code, so only its presence is checked. @throws DecidedError when it is missing, malformed or old.
 */
export function isSignatureShown(
  { signatureHeader, isSigned }: Pick<PaymentAdapter, 'signatureHeader' | 'isSigned'>,
  headers: FastifyRequest['headers'],
): boolean {
  if (isSigned === undefined) {
    const name = signatureHeader ?? SIGNATURE
    requireRecentSignature({ name, header: headers[name], nowMs: Date.now() })
  } else if (signatureHeader !== undefined && !headers[signatureHeader]) {
    throw new DecidedError('unauthorized', `the header ${signatureHeader} is needed`)
  }
  return isSigned === undefined || signatureHeader !== undefined
}

/**
 * Checks a provider's signature, in the adapter's way or in Footfall's own.
 * @throws DecidedError (unauthorized) when it does not match, and also when the adapter does not answer with true or false.
 */
export async function requireAdapterSignature(
  { provider, signatureHeader: name = SIGNATURE, secrets = [], isSigned }: PaymentAdapter,
  headers: FastifyRequest['headers'],
  body: Buffer,
): Promise<void> {
  if (isSigned === undefined) {
    requireSignature({ name, header: headers[name], body, secrets, nowMs: Date.now() })
    return
  }
  const refusal = (cause?: Error) => new DecidedError('unauthorized', `this was not signed by ${provider}`, { cause })
  const answer: unknown = await answerOf(async () => isSigned({ headers, body, nowMs: Date.now() })).catch((error: unknown) => {
    throw refusal(new Error(`isSigned of the adapter of ${provider}: ${messageOf(error)}`))
  })
  if (answer === true) return
  throw refusal(
    answer === false
      ? undefined
      : new Error(`isSigned of the adapter of ${provider} must return true or false, not ${typeOf(answer)}`),
  )
}

const NO_CONTEXT: WebhookContext = { contentType: '', headers: {} }

/**
 * The callbacks that the adapter makes of a provider's webhook, and why it ignores it or a part of it. @throws DecidedError when they
 * are not as the contract describes.
 */
export async function adaptedCallbacks(
  adapter: PaymentAdapter,
  body: unknown,
  context: WebhookContext = NO_CONTEXT,
): Promise<{ callbacks: object[]; ignored?: string }> {
  const { provider } = adapter
  try {
    const adapted: unknown = await answerOf(async () => adapter.callbacksOf(body as never, context))
    // Reading the fields is part of it, because they may be the adapter's code.
    const parts = isIgnoring(adapted) ? [adapted] : objectsOf(adapted)
    const reasons = parts.flatMap((part) => (isIgnoring(part) ? [messageOf(part.ignored)] : []))
    const callbacks = checkedCallbacks(parts.map((part) => (isIgnoring(part) ? undefined : { ...part, provider })))
    return { callbacks, ...(reasons.length > 0 && { ignored: [...new Set(reasons)].join('; ') }) }
  } catch (error) {
    const problem = `the adapter of ${provider}: ${messageOf(error)}`
    const details = error instanceof InvalidCallbacks ? error.details : undefined
    throw new DecidedError('invalid_request', problem, {
      ...(details && { details }),
      cause: new Error(problem, { cause: error }),
    })
  }
}

class InvalidCallbacks extends Error {
  override readonly name = 'InvalidCallbacks'
  readonly details: readonly FieldProblem[]

  constructor(details: readonly FieldProblem[]) {
    const [first] = details
    super(`callback ${first!.field} ${first!.message}`)
    this.details = details.slice(0, DETAILS_MAX)
  }
}

/** What an adapter answers, at the latest after 5 s. A later answer is dropped. */
async function answerOf<T>(work: () => Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`gave no answer within ${ADAPTER_MS_MAX / 1_000} s`)), ADAPTER_MS_MAX)
  try {
    return await Promise.race([work(), late])
  } finally {
    clearTimeout(timer)
  }
}

function isIgnoring(adapted: unknown): adapted is { ignored: unknown } {
  if (typeof adapted !== 'object' || adapted === null || !('ignored' in adapted)) return false
  if (typeof adapted.ignored === 'string' && adapted.ignored.trim() !== '') return true
  throw new Error('ignored must be a text: the reason')
}

function objectsOf(adapted: unknown): object[] {
  if (!Array.isArray(adapted)) throw new Error(`callbacksOf must return a list, not ${typeOf(adapted)}`)
  if (adapted.length > CALLBACKS_MAX) throw new Error(`made more than ${CALLBACKS_MAX} callbacks`)
  // A promise in the list that is rejected later would end the process, if nothing took its error.
  for (const each of adapted) if (types.isPromise(each)) each.catch(() => undefined)
  return Array.from(adapted, (each: unknown, index) => {
    if (typeof each === 'object' && each !== null && !Array.isArray(each) && !types.isPromise(each)) return each
    throw new Error(`callback ${index} must be an object, not ${typeOf(each)}`)
  })
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (types.isPromise(value)) return 'a promise'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** @returns copies of the callbacks, which are data only; undefined ones are left out. @throws InvalidCallbacks. */
function checkedCallbacks(callbacks: readonly unknown[]): object[] {
  const results = callbacks.map((callback) =>
    callback === undefined ? undefined : PaymentCallback.safeParse(readAs(PaymentCallback, callback), { error: plainMessage }),
  )
  const details = results.flatMap((result, index) =>
    (result?.error?.issues ?? []).map((issue) => ({
      field: [index, ...pathOf(issue)].join('.').slice(0, FIELD_CHARACTERS_MAX),
      message: issue.message,
    })),
  )
  if (details.length > 0) throw new InvalidCallbacks(details)
  return results.flatMap((result) => result?.data ?? [])
}
