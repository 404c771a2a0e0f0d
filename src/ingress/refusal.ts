import { HttpCallError } from '@restatedev/restate-sdk-clients'
import { DecidedError } from '../contract/decided-error.ts'

/** What a handler decided against a call. `metadata` is that of its TerminalError. */
export interface Refusal {
  status: number
  message: string
  metadata: Record<string, string>
}

/** The decision of a handler; undefined for every other error, e.g. an outage or a handler that is not registered. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof HttpCallError) || ![400, 403, 404, 409].includes(error.status)) return undefined
  try {
    const { message, source, metadata } = JSON.parse(error.responseText) as {
      message: unknown
      source?: unknown
      metadata?: Record<string, string>
    }
    // Restate itself answers 404 for a handler that is not registered, and names itself as the source.
    return source === 'ingress' ? undefined : { status: error.status, message: String(message), metadata: metadata ?? {} }
  } catch {
    return undefined
  }
}

const CODE_OF_STATUS: Readonly<Record<number, 'invalid_request' | 'forbidden' | 'not_found' | 'conflict'>> = {
  400: 'invalid_request',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
}

/**
 * The decision of a handler as the error that it threw: with its field, or with its metadata as details. Undefined for every other
 * error.
 */
export function decidedErrorOf(error: unknown): DecidedError | undefined {
  const refusal = refusalOf(error)
  if (refusal === undefined) return undefined
  const { status, message, metadata } = refusal
  const { field, problem = message, ...details } = metadata
  const code = CODE_OF_STATUS[status]!
  if (field !== undefined) return new DecidedError(code, problem, { field, cause: error })
  return new DecidedError(code, message, { cause: error, ...(Object.keys(details).length > 0 && { details }) })
}

/** Whether the answer about an invocation says that it has ended: it failed, or Restate does not know it any more. */
export function hasEnded(error: unknown): boolean {
  return error instanceof HttpCallError && (error.status === 404 || error.responseText.includes('"invocation"'))
}

/** Whether a call was refused because its body is larger than a handler or Restate takes. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof HttpCallError && error.status === 413
}

/**
 * Whether the call ran and ended in an error, or was not taken as it is, so that sending it again would not help. Every other
 * error (e.g. of a proxy that gave up, or of services that are not registered yet) says nothing about the body.
 */
export function isRefusedCall(error: unknown): boolean {
  if (!(error instanceof HttpCallError)) return false
  return [400, 413, 422].includes(error.status) || (error.status === 500 && error.responseText.includes('"invocation"'))
}
