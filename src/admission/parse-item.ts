import type { z } from 'zod'
import { isUnwritableMark, UNWRITABLE_MESSAGE } from '../contract/fields/json.ts'
import { readAs } from '../contract/fields/read-as.ts'
import { isStorable } from '../contract/fields/text.ts'
import { plainMessage } from '../contract/fields/zod-messages.ts'
import type { PlainItem } from './plain-item.ts'
import type { ItemProblem, Warning } from './rows.ts'

const FIELD_CHARACTERS_MAX = 200

export interface ItemKind<Item> {
  schema: z.ZodType<Item>
  /** Finds most valid items faster than the schema does. */
  isPlain?: PlainItem
  /** An item in messages, e.g. "a product". */
  noun: string
}

/** Why a field is left out of an item. */
export type LeftOut = Pick<Warning, 'field' | 'message'>

/** Checks an item against its schema. */
export function parseItem<Item>(
  { schema, noun, isPlain }: ItemKind<Item>,
  sent: unknown,
): { parsed: Item } | { rejection: ItemProblem } {
  if (isPlain?.(sent)) return { parsed: sent as Item }
  const item = readAs(schema, sent)
  const { data, error } = schema.safeParse(item, { error: plainMessage })
  return error === undefined ? { parsed: data } : { rejection: firstProblem(error, item, noun) }
}

/** The same, but wrong values of some fields are left out of the item, and do not reject it. */
export function parseWithout<Item>(
  kind: ItemKind<Item>,
  sent: unknown,
  fields: readonly string[],
): { parsed: Item; leftOut: readonly LeftOut[] } | { rejection: ItemProblem } {
  if (kind.isPlain?.(sent)) return { parsed: sent as Item, leftOut: NOTHING }
  const item = readAs(kind.schema, sent)
  const { data, error } = kind.schema.safeParse(item, { error: plainMessage })
  if (error === undefined) return { parsed: data, leftOut: NOTHING }
  const wrong = new Map(error.issues.map((issue) => [String(issue.path[0]), messageOf(issue, item)] as const).toReversed())
  const leftOut = fields.flatMap((field) => (wrong.has(field) ? [{ field, message: wrong.get(field)! }] : []))
  if (leftOut.length === 0) return { rejection: firstProblem(error, item, kind.noun) }
  const rest = { ...(item as Record<string, unknown>) }
  for (const { field } of leftOut) delete rest[field]
  const result = parseItem(kind, rest)
  return 'rejection' in result ? result : { ...result, leftOut }
}

const NOTHING: readonly LeftOut[] = []

/** The first problem of an item. Its field is null when it is about the whole item. */
function firstProblem(error: z.ZodError, item: unknown, noun: string): ItemProblem {
  const issue = error.issues[0]!
  if (issue.code === 'unrecognized_keys')
    return { code: 'invalid', field: nameOf(issue.keys[0]), message: `is not a field of ${noun}` }
  return { code: 'invalid', field: issue.path.join('.') || null, message: messageOf(issue, item) }
}

function messageOf({ path: [field], message }: z.core.$ZodIssue, item: unknown): string {
  const value = field === undefined ? item : (item as Record<PropertyKey, unknown>)[field]
  return isUnwritableMark(value) ? UNWRITABLE_MESSAGE : message
}

/** An unknown field's name, as far as it can be stored. */
function nameOf(key: string | undefined): string | null {
  return key !== undefined && isStorable(key) ? key.slice(0, FIELD_CHARACTERS_MAX).toWellFormed() : null
}
