import { isDeepStrictEqual } from 'node:util'

/** A service as Restate describes it. */
export interface DescribedService {
  name: string
  ty: string
  public: boolean
  metadata?: Record<string, string>
  handlers: DescribedHandler[]
}

interface DescribedHandler {
  name: string
  ty?: string
  public: boolean
  input_json_schema?: Schema
  output_json_schema?: Schema
}

type Schema = Record<string, unknown>

type Side = 'request' | 'answer'

export interface ContractChange {
  /** Where and what, as one clause. */
  what: string
  /** Whether what worked with the contract before may not work with this one: callers, and calls that wait in Restate. */
  isBreaking: boolean
}

/** How the contract of the services that are registered differs from that of a release. */
export function contractChanges(before: readonly DescribedService[], after: readonly DescribedService[]): ContractChange[] {
  return [...named(before, after)].flatMap(([name, [old, now]]): ContractChange[] => {
    if (now === undefined) return [{ what: `${name} is gone`, isBreaking: true }]
    if (old === undefined) return [{ what: `${name} is new`, isBreaking: false }]
    const kind = old.ty === now.ty ? [] : [{ what: `${name} was a ${old.ty} and is a ${now.ty}`, isBreaking: true }]
    const doors = doorChanges(name, old, now)
    return [...kind, ...doors, ...handlerChanges(name, old, now)]
  })
}

function handlerChanges(service: string, before: DescribedService, after: DescribedService): ContractChange[] {
  return [...named(before.handlers, after.handlers)].flatMap(([handler, [old, now]]): ContractChange[] => {
    const name = `${service}.${handler}`
    if (now === undefined) return [{ what: `${name} is gone`, isBreaking: true }]
    if (old === undefined) return [{ what: `${name} is new`, isBreaking: false }]
    const kind = old.ty === now.ty ? [] : [{ what: `${name} was ${old.ty} and is ${now.ty}`, isBreaking: true }]
    return [
      ...kind,
      ...doorChanges(name, old, now),
      ...schemaChanges(`${name}: the request`, old.input_json_schema, now.input_json_schema, 'request'),
      ...schemaChanges(`${name}: the answer`, old.output_json_schema, now.output_json_schema, 'answer'),
    ]
  })
}

function doorChanges(name: string, old: { public: boolean }, now: { public: boolean }): ContractChange[] {
  if (old.public === now.public) return []
  return [{ what: `${name} is ${now.public ? 'public' : 'private'} now`, isBreaking: !now.public }]
}

/** A request of old must do for the new one; an answer of now, for who knows the old one. */
function schemaChanges(where: string, old: Schema = {}, now: Schema = {}, side: Side): ContractChange[] {
  if (isDeepStrictEqual(meaningOf(old), meaningOf(now))) return []
  const problems = side === 'request' ? misfits(old, now, side) : misfits(now, old, side)
  if (problems.length === 0) return [{ what: `${where} changed`, isBreaking: false }]
  return problems.map((problem) => ({ what: `${where}${problem}`, isBreaking: true }))
}

const TEXTS = new Set(['$schema', '$id', 'title', 'description', 'examples', 'deprecated'])
/** Read by rules of their own below. */
const KNOWN = new Set([
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'enum',
  'const',
  'anyOf',
  'oneOf',
  'default',
])
const AT_MOST = new Set(['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'])
const AT_LEAST = new Set(['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'])

const TAKES: Record<Side, string> = { request: 'takes', answer: 'has' }

/**
 * Where a value that fits one schema may not fit another, each as a path and what is wrong. What is not understood counts as wrong
 * when it differs. A reader of answers passes over fields that it does not know.
 */
function misfits(value: Schema, reader: Schema, side: Side): string[] {
  if (isDeepStrictEqual(meaningOf(value), meaningOf(reader))) return []
  const [branch, ...branches] = branchesOf(value) as [Schema, ...Schema[]]
  const [read, ...readers] = branchesOf(reader) as [Schema, ...Schema[]]
  if (branches.length > 0 || readers.length > 0) {
    const fits = (one: Schema) => [read, ...readers].some((other) => misfits(one, other, side).length === 0)
    return [branch, ...branches].every(fits) ? [] : [` ${TAKES[side]} other kinds of values`]
  }
  if (!typesOf(branch).every((type) => fitsType(type, typesOf(read)))) return [' was of another type']
  return [
    ...(valuesFit(branch, read) ? [] : [` ${TAKES[side]} other values`]),
    ...limitMisfits(branch, read, side),
    ...fieldMisfits(branch, read, side),
    ...restMisfits(branch, read, side),
    ...itemMisfits(branch, read, side),
  ]
}

function fieldMisfits(value: Schema, reader: Schema, side: Side): string[] {
  const [fields, read] = [fieldsOf(value), fieldsOf(reader)]
  const given = new Set(requiredOf(value, side))
  const missing = requiredOf(reader, side).filter((name) => !given.has(name))
  const isRead = (name: string) => Object.hasOwn(read, name)
  const skipsUnread = side === 'answer' || reader['additionalProperties'] !== false
  return Object.keys(fields)
    .filter((name) => !isRead(name) && !skipsUnread)
    .map((name) => ` has no field ${name} any more`)
    .concat(
      missing.map((name) => (side === 'request' ? ` needs ${name}` : ` may be without ${name}`)),
      Object.keys(fields)
        .filter(isRead)
        .flatMap((name) => misfits(fields[name]!, read[name]!, side).map((problem) => `.${name}${problem}`)),
    )
}

/** Of fields that have no name in the schema. */
function restMisfits(value: Schema, reader: Schema, side: Side): string[] {
  const [given = {}, read] = [value['additionalProperties'], reader['additionalProperties']]
  if (given === false) return []
  if (read === false) return side === 'answer' ? [] : [' takes no other fields any more']
  return isObject(read) ? misfits(isObject(given) ? given : {}, read, side).map((problem) => `.*${problem}`) : []
}

function itemMisfits(value: Schema, reader: Schema, side: Side): string[] {
  if (!isObject(reader['items'])) return []
  return misfits(isObject(value['items']) ? value['items'] : {}, reader['items'], side).map((problem) => `[]${problem}`)
}

function limitMisfits(value: Schema, reader: Schema, side: Side): string[] {
  const fits = (name: string) => {
    const [given, allowed] = [value[name], reader[name]]
    if (isDeepStrictEqual(meaningOf(given), meaningOf(allowed))) return true
    if (AT_MOST.has(name)) return given !== undefined && Number(given) <= Number(allowed)
    if (AT_LEAST.has(name)) return given !== undefined && Number(given) >= Number(allowed)
    return false
  }
  const isLimit = (name: string) => AT_MOST.has(name) || AT_LEAST.has(name)
  const becomes = side === 'request' ? 'narrower' : 'wider'
  return Object.keys(reader)
    .filter((name) => !TEXTS.has(name) && !KNOWN.has(name) && !fits(name))
    .map((name) => `: ${name} is ${isLimit(name) ? becomes : 'another'}`)
}

function valuesFit(value: Schema, reader: Schema): boolean {
  const allowed = valuesOf(reader)
  if (allowed === undefined) return true
  return valuesOf(value)?.every((one) => allowed.some((other) => isDeepStrictEqual(one, other))) ?? false
}

function valuesOf(schema: Schema): unknown[] | undefined {
  if ('const' in schema) return [schema['const']]
  return schema['enum'] as unknown[] | undefined
}

/** What stands beside the branches holds for each. */
function branchesOf({ anyOf, oneOf, ...beside }: Schema): Schema[] {
  const branches = (anyOf ?? oneOf) as Schema[] | undefined
  return branches === undefined ? [beside] : branches.flatMap((branch) => branchesOf({ ...beside, ...branch }))
}

function fieldsOf(schema: Schema): Record<string, Schema> {
  return (schema['properties'] ?? {}) as Record<string, Schema>
}

/** A request may be without a field that has a default, though the schema of what is read from it requires it. */
function requiredOf(schema: Schema, side: Side): string[] {
  const fields = fieldsOf(schema)
  const hasDefault = (name: string) => Object.hasOwn(fields, name) && 'default' in fields[name]!
  return ((schema['required'] ?? []) as string[]).filter((name) => side === 'answer' || !hasDefault(name))
}

function typesOf(schema: Schema): (string | undefined)[] {
  return [schema['type']].flat() as (string | undefined)[]
}

/** No type is any. */
function fitsType(type: string | undefined, readable: (string | undefined)[]): boolean {
  return readable.includes(undefined) || readable.includes(type) || (type === 'integer' && readable.includes('number'))
}

function meaningOf(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(meaningOf)
  if (!isObject(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name, value]) => !(TEXTS.has(name) && !isObject(value)))
      .map(([name, value]) => [name, meaningOf(value)]),
  )
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function* named<T extends { name: string }>(
  before: readonly T[],
  after: readonly T[],
): Generator<[string, [T | undefined, T | undefined]]> {
  const names = new Set([...before, ...after].map(({ name }) => name))
  for (const name of [...names].sort()) {
    yield [name, [before.find((one) => one.name === name), after.find((one) => one.name === name)]]
  }
}
