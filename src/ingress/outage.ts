import { HttpCallError } from '@restatedev/restate-sdk-clients'

/** Restate does not answer, or not in time, or says that it cannot. Anything else is a fault of ours. */
export function isOutage(error: unknown): boolean {
  return (
    error instanceof HttpCallError || error instanceof DOMException || (error instanceof TypeError && error.cause !== undefined)
  )
}
