import type { z } from 'zod'
import type { Rejection } from './rows.ts'
import { isStorable, isUnwritten, UNWRITABLE } from '../contract/text.ts'

const FIELD_CHARACTERS_MAX = 200

/** The first problem of an item. Its field is null when it is about the whole item. `noun` is the item in messages, e.g. "a product". */
export function itemProblem(error: z.ZodError, item: unknown, noun: string): Pick<Rejection, 'code' | 'field' | 'message'> {
  const issue = error.issues[0]!
  if (issue.code === 'unrecognized_keys')
    return { code: 'invalid', field: nameOf(issue.keys[0]), message: `is not a field of ${noun}` }
  const [field] = issue.path
  const value = field === undefined ? item : (item as Record<PropertyKey, unknown>)[field]
  return { code: 'invalid', field: issue.path.join('.') || null, message: isUnwritten(value) ? UNWRITABLE : issue.message }
}

/** An unknown field's name, as far as it can be stored. */
function nameOf(key: string | undefined): string | null {
  return key !== undefined && isStorable(key) ? key.slice(0, FIELD_CHARACTERS_MAX).toWellFormed() : null
}
