import { z } from 'zod'
import { unlessMissing } from './zod-messages.ts'

/** A whole number, with one message for every other value. */
export function wholeNumber(min: number, max: number) {
  const error = { error: unlessMissing(messageOf(min, max)) }
  return z.int(error).min(min, error).max(max, error)
}

/** The same in an address, where every value is a text. */
export function wholeNumberOfText(min: number, max: number) {
  const error = { error: messageOf(min, max) }
  return z.coerce.number(error).int(error).min(min, error).max(max, error)
}

function messageOf(min: number, max: number): string {
  return `must be a whole number from ${min} to ${max}`
}
