import { misfits, type Schema, type Side, isSameSchema } from './schema-misfits.ts'

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

export interface ContractChange {
  /** Place and change, as one clause. */
  what: string
  /** Whether callers that use the contract before may fail with this one, or calls that wait in Restate. */
  isBreaking: boolean
}

/** Compares the contract of the registered services with that of a release. */
export function contractChanges(before: readonly DescribedService[], after: readonly DescribedService[]): ContractChange[] {
  return changesByName(before, after, '', (name, old, now) => [
    ...(old.ty === now.ty ? [] : [{ what: `${name} was a ${old.ty} and is a ${now.ty}`, isBreaking: true }]),
    ...visibilityChanges(name, old, now),
    ...handlerChanges(name, old.handlers, now.handlers),
  ])
}

function handlerChanges(service: string, before: DescribedHandler[], after: DescribedHandler[]): ContractChange[] {
  return changesByName(before, after, `${service}.`, (name, old, now) => [
    ...(old.ty === now.ty ? [] : [{ what: `${name} was ${old.ty} and is ${now.ty}`, isBreaking: true }]),
    ...visibilityChanges(name, old, now),
    ...schemaChanges(`${name}: the request`, old.input_json_schema, now.input_json_schema, 'request'),
    ...schemaChanges(`${name}: the answer`, old.output_json_schema, now.output_json_schema, 'answer'),
  ])
}

/** Items that are gone, are new, or changed, in the order of their names. */
function changesByName<Item extends { name: string }>(
  before: readonly Item[],
  after: readonly Item[],
  prefix: string,
  changesOf: (name: string, old: Item, now: Item) => ContractChange[],
): ContractChange[] {
  const names = new Set([...before, ...after].map(({ name }) => name))
  return [...names].sort().flatMap((name) => {
    const old = before.find((item) => item.name === name)
    const now = after.find((item) => item.name === name)
    if (now === undefined) return [{ what: `${prefix}${name} is gone`, isBreaking: true }]
    if (old === undefined) return [{ what: `${prefix}${name} is new`, isBreaking: false }]
    return changesOf(`${prefix}${name}`, old, now)
  })
}

function visibilityChanges(name: string, old: { public: boolean }, now: { public: boolean }): ContractChange[] {
  if (old.public === now.public) return []
  return [{ what: `${name} is ${now.public ? 'public' : 'private'} now`, isBreaking: !now.public }]
}

/** Old callers send requests to the new handler, and read the answers of the new handler. */
function schemaChanges(where: string, old: Schema = {}, now: Schema = {}, side: Side): ContractChange[] {
  if (isSameSchema(old, now)) return []
  const problems = side === 'request' ? misfits(old, now, side) : misfits(now, old, side)
  if (problems.length === 0) return [{ what: `${where} changed`, isBreaking: false }]
  return problems.map((problem) => ({ what: `${where}${problem}`, isBreaking: true }))
}
