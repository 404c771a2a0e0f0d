import type { z } from 'zod'
import { Instant } from '../contract/fields/instant.ts'
import { isStorable } from '../contract/fields/text.ts'
import { METADATA_BYTES_MAX } from '../contract/interaction.ts'

/** Whether a field of an item is valid for certain. */
export type PlainField = (value: unknown) => boolean
/** Whether an item is valid for certain. The schema decides about every other item. */
export type PlainItem = (item: unknown) => boolean

/**
 * Finds most valid items in a third of the time that their schema takes. The schema stays the definition: an item that is found here is one
 * that it accepts as it is, which a test compares. `isWhole` is about the fields together.
 */
export function plainItem<Item>(
  fields: { [Name in keyof Item]?: PlainField },
  isWhole: (item: Partial<Record<keyof Item, unknown>>) => boolean,
): PlainItem {
  const byName = new Map(Object.entries(fields) as [string, PlainField][])
  return (item) => {
    if (typeof item !== 'object' || item === null) return false
    for (const name in item) {
      const isPlain = byName.get(name)
      if (isPlain === undefined || !isPlain((item as Record<string, unknown>)[name])) return false
    }
    return isWhole(item)
  }
}

const KNOWN_MAX = 1_000

/** For a field with few different values: asks its schema once for each. */
export function known(schema: z.ZodType): PlainField {
  const accepted = new Set<unknown>()
  return (value) => {
    if (accepted.has(value)) return true
    if (typeof value !== 'string' || !schema.safeParse(value).success) return false
    if (accepted.size < KNOWN_MAX) accepted.add(value)
    return true
  }
}

/** A text of at most so many characters. One with more UTF-16 units may be valid too. */
export function plainText(max: number): PlainField {
  return (value) => typeof value === 'string' && value.length > 0 && value.length <= max && isStorable(value)
}

/** A UUID of a version that is in use, so that it is neither the nil nor the max UUID. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const isPlainUuid: PlainField = (value) => typeof value === 'string' && UUID.test(value)

const TIME_IN_UTC = /^\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z$/
const DAY_CHARACTERS = 'YYYY-MM-DD'.length
const isDay = known(Instant.refine((text) => text.endsWith('T00:00:00Z')))
let lastDay = ''

/** An instant in UTC. Events that come together are mostly of one day, which the schema was asked about. */
export const isPlainInstant: PlainField = (value) => {
  if (typeof value !== 'string' || !TIME_IN_UTC.test(value)) return false
  const day = value.slice(0, DAY_CHARACTERS)
  if (day === lastDay) return true
  if (!isDay(`${day}T00:00:00Z`)) return false
  lastDay = day
  return true
}

/** Of a character in JSON, e.g. \u0007. */
const JSON_BYTES_MAX = 6
/** Of a field without its texts: quotes, a colon, a comma, and the digits of a number. */
const FIELD_BYTES_MAX = 32

/** An object of texts, numbers and truth values. */
export const isPlainMetadata: PlainField = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  let bytes = 2
  for (const name in value) {
    const inner = (value as Record<string, unknown>)[name]
    if (name === '__proto__' || !isStorable(name) || !isPlainValue(inner)) return false
    bytes += FIELD_BYTES_MAX + JSON_BYTES_MAX * (name.length + (typeof inner === 'string' ? inner.length : 0))
  }
  return bytes <= METADATA_BYTES_MAX
}

function isPlainValue(value: unknown): boolean {
  return typeof value === 'string' ? isStorable(value) : typeof value === 'boolean' || Number.isFinite(value)
}
