import { isDeepStrictEqual } from 'node:util'

/** A JSON schema. */
export type Schema = Record<string, unknown>

export type Side = 'request' | 'answer'

/** Keywords that say nothing about values. */
const ANNOTATIONS = new Set(['$schema', '$id', 'title', 'description', 'examples', 'deprecated'])
const UPPER_LIMITS = new Set(['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'])
const LOWER_LIMITS = new Set(['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'])
/** Keywords with a rule of their own below. All others are limits, or must be equal. */
const RULED = new Set([
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

const VERB: Record<Side, string> = { request: 'takes', answer: 'has' }

/** Whether two schemas are equal apart from annotations. */
export function isSameSchema(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(withoutAnnotations(one), withoutAnnotations(other))
}

/**
 * Where a value of the schema `sent` may not fit the schema `accepted`, each as a path and a problem. A keyword without a rule is a
 * problem when it differs. Readers of answers ignore fields that they do not know.
 */
export function misfits(sent: Schema, accepted: Schema, side: Side): string[] {
  if (isSameSchema(sent, accepted)) return []
  const [sentBranches, acceptedBranches] = [branchesOf(sent), branchesOf(accepted)]
  const [sentBranch, acceptedBranch] = [sentBranches[0], acceptedBranches[0]]
  const isSingle = sentBranches.length === 1 && acceptedBranches.length === 1
  if (isSingle && sentBranch !== undefined && acceptedBranch !== undefined) return branchMisfits(sentBranch, acceptedBranch, side)
  const isAccepted = (branch: Schema) => acceptedBranches.some((other) => misfits(branch, other, side).length === 0)
  return sentBranches.every(isAccepted) ? [] : [` ${VERB[side]} other kinds of values`]
}

/** The schemas of anyOf or oneOf, each with the keywords next to them, which apply to every branch. */
function branchesOf({ anyOf, oneOf, ...common }: Schema): Schema[] {
  const branches = (anyOf ?? oneOf) as Schema[] | undefined
  return branches === undefined ? [common] : branches.flatMap((branch) => branchesOf({ ...common, ...branch }))
}

function branchMisfits(sent: Schema, accepted: Schema, side: Side): string[] {
  if (!typesOf(sent).every((type) => isTypeAccepted(type, typesOf(accepted)))) return [' was of another type']
  return [
    ...(areValuesAccepted(sent, accepted) ? [] : [` ${VERB[side]} other values`]),
    ...limitMisfits(sent, accepted, side),
    ...fieldMisfits(sent, accepted, side),
    ...unnamedFieldMisfits(sent, accepted, side),
    ...itemMisfits(sent, accepted, side),
  ]
}

// Types and values

function typesOf(schema: Schema): (string | undefined)[] {
  return [schema['type']].flat() as (string | undefined)[]
}

/** A schema without a type accepts every type. */
function isTypeAccepted(type: string | undefined, accepted: (string | undefined)[]): boolean {
  return accepted.includes(undefined) || accepted.includes(type) || (type === 'integer' && accepted.includes('number'))
}

function areValuesAccepted(sent: Schema, accepted: Schema): boolean {
  const acceptedValues = valuesOf(accepted)
  if (acceptedValues === undefined) return true
  const isAccepted = (value: unknown) => acceptedValues.some((other) => isDeepStrictEqual(value, other))
  return valuesOf(sent)?.every(isAccepted) ?? false
}

function valuesOf(schema: Schema): unknown[] | undefined {
  if ('const' in schema) return [schema['const']]
  return schema['enum'] as unknown[] | undefined
}

// Limits

function limitMisfits(sent: Schema, accepted: Schema, side: Side): string[] {
  const isLimit = (name: string) => UPPER_LIMITS.has(name) || LOWER_LIMITS.has(name)
  const change = side === 'request' ? 'narrower' : 'wider'
  return Object.keys(accepted)
    .filter((name) => !ANNOTATIONS.has(name) && !RULED.has(name) && !isWithin(name, sent[name], accepted[name]))
    .map((name) => `: ${name} is ${isLimit(name) ? change : 'another'}`)
}

function isWithin(name: string, sent: unknown, accepted: unknown): boolean {
  if (isSameSchema(sent, accepted)) return true
  if (UPPER_LIMITS.has(name)) return sent !== undefined && Number(sent) <= Number(accepted)
  if (LOWER_LIMITS.has(name)) return sent !== undefined && Number(sent) >= Number(accepted)
  return false
}

// Fields and items

function fieldMisfits(sent: Schema, accepted: Schema, side: Side): string[] {
  const [sentFields, acceptedFields] = [fieldsOf(sent), fieldsOf(accepted)]
  const acceptsUnknown = side === 'answer' || accepted['additionalProperties'] !== false
  const present = new Set(requiredOf(sent, side))
  const missing = requiredOf(accepted, side).filter((name) => !present.has(name))
  const [known, unknown] = partition(Object.entries(sentFields), ([name]) => Object.hasOwn(acceptedFields, name))
  return [
    ...(acceptsUnknown ? [] : unknown.map(([name]) => ` has no field ${name} any more`)),
    ...missing.map((name) => (side === 'request' ? ` needs ${name}` : ` may be without ${name}`)),
    ...known.flatMap(([name, field]) => misfits(field, acceptedFields[name]!, side).map((problem) => `.${name}${problem}`)),
  ]
}

/** Misfits of the fields that the schema does not name. */
function unnamedFieldMisfits(sent: Schema, accepted: Schema, side: Side): string[] {
  const [sentRest = {}, acceptedRest] = [sent['additionalProperties'], accepted['additionalProperties']]
  if (sentRest === false) return []
  if (acceptedRest === false) return side === 'answer' ? [] : [' takes no other fields any more']
  if (!isObject(acceptedRest)) return []
  return misfits(isObject(sentRest) ? sentRest : {}, acceptedRest, side).map((problem) => `.*${problem}`)
}

function itemMisfits(sent: Schema, accepted: Schema, side: Side): string[] {
  if (!isObject(accepted['items'])) return []
  return misfits(isObject(sent['items']) ? sent['items'] : {}, accepted['items'], side).map((problem) => `[]${problem}`)
}

function fieldsOf(schema: Schema): Record<string, Schema> {
  return (schema['properties'] ?? {}) as Record<string, Schema>
}

/** Schemas of parsed values require fields with a default, which a request may leave out. */
function requiredOf(schema: Schema, side: Side): string[] {
  const fields = fieldsOf(schema)
  const hasDefault = (name: string) => Object.hasOwn(fields, name) && 'default' in fields[name]!
  return ((schema['required'] ?? []) as string[]).filter((name) => side === 'answer' || !hasDefault(name))
}

function withoutAnnotations(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutAnnotations)
  if (!isObject(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema)
      // An object under such a name is the schema of a field with that name.
      .filter(([name, value]) => !(ANNOTATIONS.has(name) && !isObject(value)))
      .map(([name, value]) => [name, withoutAnnotations(value)]),
  )
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function partition<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))]
}
