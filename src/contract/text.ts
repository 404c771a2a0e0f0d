import { z } from 'zod'

/** PostgreSQL stores neither NUL nor half of a surrogate pair; everything else is text. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

const CHARACTERS_MAX = 200

/** Characters are code points, as in JSON Schema and PostgreSQL; a string's `length` counts UTF-16 units. */
function isOfLength(text: string, max: number): boolean {
  if (text.length === 0 || text.length > 2 * max) return false
  return text.length <= max || Array.from(text).length <= max
}

const WITHOUT_NUL = String.raw`^[^\u0000]*$`

/** A text of 1 to `max` characters that PostgreSQL can store. */
export function storableText(max: number) {
  return z
    .string()
    .refine((text) => isOfLength(text, max), { error: `must have 1 to ${max} characters`, abort: true })
    .refine(isStorable, { error: 'must not contain NUL or a lone surrogate' })
    .meta({ minLength: 1, maxLength: max, pattern: WITHOUT_NUL })
}

/** The id of a product, category, account, session, seller or brand: a UUID, an integer or a SKU fits. */
export const Id = storableText(CHARACTERS_MAX)

/** These cannot be addressed in a URL: routers and proxies resolve dots, and `top` is a list. */
const UNADDRESSABLE = new Set(['.', '..', 'top'])

/** Whether a URL can name this product. */
export function isAddressable(productId: string): boolean {
  return !UNADDRESSABLE.has(productId)
}

export const ProductId = Id.refine(isAddressable, { error: 'must not be ".", ".." or "top"' }).meta({
  pattern: String.raw`^(?!(\.|\.\.|top)$)[^\u0000]*$`,
})

/** JSON.stringify and validators recurse; a few thousand levels would end them. */
const LEVELS_MAX = 64
export const UNWRITABLE = `is nested deeper than ${LEVELS_MAX} levels, or has a number beyond 1.8e308`
const NOT_JSON = `(${UNWRITABLE})`

/** Whether JSON.stringify gives back what JSON.parse read. */
function isWritable(value: unknown, levels: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((inner) => isWritable(inner, levels - 1))
}

/** The item with a list in place of each field that cannot be written as JSON again: no field takes one, so it is refused. */
export function writable(item: unknown): unknown {
  if (isWritable(item, LEVELS_MAX)) return item
  if (typeof item !== 'object' || Array.isArray(item)) return NOT_JSON
  const fields = Object.entries(item as object)
  return Object.fromEntries(fields.map(([name, value]) => [name, isWritable(value, LEVELS_MAX - 1) ? value : [NOT_JSON]]))
}

/** Whether it stands in the place of what could not be written. */
export function isUnwritten(value: unknown): boolean {
  return value === NOT_JSON || (Array.isArray(value) && value[0] === NOT_JSON)
}

/** Whether every key and text inside a JSON value can be stored. */
export function isStorableJson(value: unknown): boolean {
  if (typeof value === 'string') return isStorable(value)
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isStorableJson)
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorableJson(inner))
}
