import { isStorable } from './text.ts'

/** JSON.stringify and validators recurse; a few thousand levels would end them. */
const LEVELS_MAX = 64

export const UNWRITABLE_MESSAGE = `is nested deeper than ${LEVELS_MAX} levels, or has a number beyond 1.8e308`

const UNWRITABLE_MARK = `(${UNWRITABLE_MESSAGE})`

/** Whether JSON.stringify gives back what JSON.parse read. */
function isWritable(value: unknown, levels: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((inner) => isWritable(inner, levels - 1))
}

/** The item with a list in place of each field that cannot be written as JSON again: no field takes one, so it is refused. */
export function toWritable(item: unknown): unknown {
  if (isWritable(item, LEVELS_MAX)) return item
  if (typeof item !== 'object' || Array.isArray(item)) return UNWRITABLE_MARK
  const fields = Object.entries(item as object)
  return Object.fromEntries(fields.map(([name, value]) => [name, isWritable(value, LEVELS_MAX - 1) ? value : [UNWRITABLE_MARK]]))
}

/** Whether it stands in the place of what could not be written. */
export function isUnwritableMark(value: unknown): boolean {
  return value === UNWRITABLE_MARK || (Array.isArray(value) && value[0] === UNWRITABLE_MARK)
}

/** Whether every key and text inside a JSON value can be stored. */
export function isStorableJson(value: unknown): boolean {
  if (typeof value === 'string') return isStorable(value)
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isStorableJson)
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorableJson(inner))
}
