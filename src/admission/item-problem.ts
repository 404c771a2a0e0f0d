import type { z } from 'zod'
import { isStorable, isUnwritten, UNWRITABLE } from '../contract/text.ts'

const FIELD_CHARACTERS_MAX = 200

/** The first thing that is wrong with an item: its field, null when it is the whole item, and a sentence. `noun` is "a product". */
export function itemProblem(error: z.ZodError, item: unknown, noun: string): { field: string | null; message: string } {
  const issue = error.issues[0]!
  if (issue.code === 'unrecognized_keys') return { field: nameOf(issue.keys[0]), message: `is not a field of ${noun}` }
  const [field] = issue.path
  const value = field === undefined ? item : (item as Record<PropertyKey, unknown>)[field]
  return { field: issue.path.join('.') || null, message: isUnwritten(value) ? UNWRITABLE : issue.message }
}

/** An unknown field's name, as far as it can be stored. */
function nameOf(key: string | undefined): string | null {
  return key !== undefined && isStorable(key) ? key.slice(0, FIELD_CHARACTERS_MAX).toWellFormed() : null
}
