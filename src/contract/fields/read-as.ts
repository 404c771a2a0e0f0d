import { z } from 'zod'

/** How values of some schemas are read. A schema that is made from one of them is found too. */
const READ_BY = z.registry<{ read: Read }, z.ZodType>()

type Read = (value: unknown) => unknown

/** Lets an id that is a text be sent as a whole number, which is read as its digits. */
export function alsoAsNumber<Schema extends z.ZodType>(schema: Schema): Schema {
  READ_BY.add(schema, { read: digitsOf })
  return schema
}

/** Lets an id that is a whole number be sent as its digits. */
export function alsoAsDigits<Schema extends z.ZodType>(schema: Schema): Schema {
  READ_BY.add(schema, { read: numberOf })
  return schema
}

/** Whether a field of an object takes whole numbers for texts. */
export function isIdIn(shape: Readonly<Record<string, z.core.$ZodType>>, name: string): boolean {
  const field = shape[name]
  return field !== undefined && readerOf(field) === digitsOf
}

/**
 * A value in the one form that its schema describes: a field that is null is absent, and an id that was sent as a whole number is its
 * digits, and the other way round. A number beyond 2^53 − 1 stays, and is refused, because its last digits were lost when it was read.
 * The contents of metadata stay as they are. A value without such fields is returned itself.
 */
export function readAs(schema: z.core.$ZodType, value: unknown): unknown {
  const read = readerOf(schema)
  return read === undefined ? value : read(value)
}

const READERS = new WeakMap<z.core.$ZodType, Read | null>()

/** How values of a schema are read; undefined when they stay as they are. */
function readerOf(schema: z.core.$ZodType): Read | undefined {
  const known = READERS.get(schema)
  if (known !== undefined) return known ?? undefined
  const reader = newReader(unwrapped(schema))
  READERS.set(schema, reader ?? null)
  return reader
}

function newReader(schema: z.core.$ZodType): Read | undefined {
  const read = readBy(schema)
  if (read !== undefined) return read
  const { def } = (schema as z.core.$ZodTypes)._zod
  if (def.type === 'array') {
    const read = readerOf(def.element)
    return read && ((list) => (Array.isArray(list) ? changed(list, list.map(read)) : list))
  }
  return def.type === 'object' ? objectReader(def.shape) : undefined
}

function objectReader(shape: Readonly<Record<string, z.core.$ZodType>>): Read {
  const fields = Object.entries(shape).map(([name, field]) => ({ name, read: readerOf(field), mayBeNull: takesNull(field) }))
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const item = value as Record<string, unknown>
    let result = item
    for (const { name, read, mayBeNull } of fields) {
      const sent = item[name]
      const isAbsent = sent === null && !mayBeNull && Object.hasOwn(item, name)
      const field = isAbsent || sent === undefined || read === undefined ? sent : read(sent)
      if (!isAbsent && field === sent) continue
      if (result === item) result = { ...item }
      if (isAbsent) delete result[name]
      else result[name] = field
    }
    return result
  }
}

function digitsOf(value: unknown): unknown {
  return Number.isSafeInteger(value) ? String(value) : value
}

/** A text such as 0042 stays a text, because its digits would not come back. Spreadsheets write 42 as 42.0. */
function numberOf(value: unknown): unknown {
  return typeof value === 'string' && /^(?:0|-?[1-9]\d{0,15})(?:\.0+)?$/.test(value) ? Number(value) : value
}

function changed(before: readonly unknown[], after: unknown[]): readonly unknown[] {
  return after.every((element, place) => element === before[place]) ? before : after
}

/** The registry finds a schema by those from which it was made, too. */
function readBy(schema: z.core.$ZodType): Read | undefined {
  return READ_BY.get(schema as z.ZodType)?.read
}

/** The schema of a value that is present. */
function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = (schema as z.core.$ZodTypes)._zod
  return def.type === 'optional' || def.type === 'default' ? unwrapped(def.innerType) : schema
}

function takesNull(schema: z.core.$ZodType): boolean {
  const { def } = (unwrapped(schema) as z.core.$ZodTypes)._zod
  return def.type === 'nullable' || def.type === 'unknown' || def.type === 'any'
}
