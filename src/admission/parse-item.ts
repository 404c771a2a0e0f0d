import type { z } from 'zod'
import { isUnwritableMark, UNWRITABLE_MESSAGE } from '../contract/fields/json.ts'
import { isStorable } from '../contract/fields/text.ts'
import { plainMessage } from '../contract/fields/zod-messages.ts'
import type { ItemProblem } from './rows.ts'

const FIELD_CHARACTERS_MAX = 200

export interface ItemKind<Item> {
  schema: z.ZodType<Item>
  /** An item in messages, e.g. "a product". */
  noun: string
}

/** Checks an item against its schema. */
export function parseItem<Item>({ schema, noun }: ItemKind<Item>, item: unknown): { parsed: Item } | { rejection: ItemProblem } {
  const { data, error } = schema.safeParse(item, { error: plainMessage })
  return error === undefined ? { parsed: data } : { rejection: firstProblem(error, item, noun) }
}

/** The first problem of an item. Its field is null when it is about the whole item. */
function firstProblem(error: z.ZodError, item: unknown, noun: string): ItemProblem {
  const issue = error.issues[0]!
  if (issue.code === 'unrecognized_keys')
    return { code: 'invalid', field: nameOf(issue.keys[0]), message: `is not a field of ${noun}` }
  const [field] = issue.path
  const value = field === undefined ? item : (item as Record<PropertyKey, unknown>)[field]
  return {
    code: 'invalid',
    field: issue.path.join('.') || null,
    message: isUnwritableMark(value) ? UNWRITABLE_MESSAGE : issue.message,
  }
}

/** An unknown field's name, as far as it can be stored. */
function nameOf(key: string | undefined): string | null {
  return key !== undefined && isStorable(key) ? key.slice(0, FIELD_CHARACTERS_MAX).toWellFormed() : null
}
