import { z } from 'zod'

/** A whole number, and one sentence for whatever it is not. */
export function wholeNumber(min: number, max: number) {
  const says = sentence(min, max)
  return z.int(says).min(min, says).max(max, says)
}

/** The same in an address, where everything is text. */
export function wholeNumberOfText(min: number, max: number) {
  const says = sentence(min, max)
  return z.coerce.number(says).int(says).min(min, says).max(max, says)
}

function sentence(min: number, max: number) {
  return { error: `must be a whole number from ${min} to ${max}` }
}
