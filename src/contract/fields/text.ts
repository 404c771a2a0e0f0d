import { z } from 'zod'

/** Whether PostgreSQL can store a text: it takes neither NUL nor a lone surrogate. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/** Counts code points, as JSON Schema and PostgreSQL do. A string's `length` counts UTF-16 units. */
function isOfLength(text: string, max: number): boolean {
  if (text.length === 0 || text.length > 2 * max) return false
  return text.length <= max || Array.from(text).length <= max
}

const WITHOUT_NUL = String.raw`^[^\u0000]*$`

/** A text of 1 to `max` characters that PostgreSQL can store. `params` has the message for another type. */
export function storableText(max: number, params: { error?: (issue: z.core.$ZodRawIssue) => string } = {}) {
  return z
    .string(params)
    .refine((text) => isOfLength(text, max), { error: `must have 1 to ${max} characters`, abort: true })
    .refine(isStorable, { error: 'must not contain NUL or half a surrogate pair' })
    .meta({ minLength: 1, maxLength: max, pattern: WITHOUT_NUL })
}
