import { isStorable } from './text.ts'

/** JSON.stringify and validators are recursive, and a few thousand levels would overflow their stack. */
const LEVELS_MAX = 64

export const UNWRITABLE_MESSAGE = `is nested deeper than ${LEVELS_MAX} levels, or has a number beyond 1.8e308`

/** Stands in an item for a value that cannot be written. */
const UNWRITABLE_MARK = `(${UNWRITABLE_MESSAGE})`

/** Whether JSON.stringify can write a value that JSON.parse read. */
function isWritable(value: unknown, levels: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((inner) => isWritable(inner, levels - 1))
}

/**
 * The item as it can be written as JSON again: a list with a mark replaces each field that cannot. The item is then rejected for
 * that field, because no field accepts such a list.
 */
export function toWritable(item: unknown): unknown {
  if (isWritable(item, LEVELS_MAX)) return item
  if (typeof item !== 'object' || Array.isArray(item)) return UNWRITABLE_MARK
  const fields = Object.entries(item as object)
  return Object.fromEntries(fields.map(([name, value]) => [name, isWritable(value, LEVELS_MAX - 1) ? value : [UNWRITABLE_MARK]]))
}

/** Whether a value is such a mark. */
export function isUnwritableMark(value: unknown): boolean {
  return value === UNWRITABLE_MARK || (Array.isArray(value) && value[0] === UNWRITABLE_MARK)
}

/** Whether PostgreSQL can store every key and text inside a JSON value. */
export function isStorableJson(value: unknown): boolean {
  if (typeof value === 'string') return isStorable(value)
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isStorableJson)
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorableJson(inner))
}
