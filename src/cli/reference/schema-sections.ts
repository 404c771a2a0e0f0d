import { z } from 'zod'
import * as contract from '../../contract/index.ts'
import { code, plain, tableOf } from './markdown.ts'
import { type JsonSchema, typeText } from './schema-text.ts'

/** Collects the schemas that a page links to, and describes each once. */
export interface SchemaSections {
  /** The text for a schema: a link to its section. Of two schemas with the same fields, `hint` is part of the name to take. */
  linkTo: (schema: JsonSchema, hint?: string) => string
  /** A section for each schema that was linked to, also by another section. */
  sections: () => string[]
}

/** Names are those under which the contract exports its schemas. */
export function createSchemaSections(): SchemaSections {
  const names = exportedNames()
  const linked = new Map<string, JsonSchema>()

  const linkTo = (schema: JsonSchema, hint = '') => {
    if (Object.keys(schema.properties ?? {}).length === 0) return code('{}')
    const candidates = names.get(keyOf(schema))
    if (candidates === undefined) return 'object'
    const name = candidates.find((candidate) => candidate.startsWith(hint)) ?? candidates[0]!
    linked.set(name, schema)
    return `[${name}](#${name.toLowerCase()})`
  }

  /** Fields of an object without a name follow it, under a path such as `summary.total`. */
  const rowsOf = ({ properties = {}, required = [] }: JsonSchema, path = ''): string[][] =>
    Object.entries(properties).flatMap(([name, field]) => {
      const type = [typeText(field, linkTo), presenceText(field, required.includes(name))].filter(Boolean).join('; ')
      const row = [code(path + name), type, plain(field.description ?? '')]
      const object = field.items ?? field
      const isNamed = object.properties === undefined || names.has(keyOf(object))
      return isNamed ? [row] : [row, ...rowsOf(object, `${path}${name}${field.items === undefined ? '' : '[]'}.`)]
    })

  return {
    linkTo,
    sections: () => {
      const sections = new Map<string, string>()
      // The rows of a schema link to further schemas, and the loop reaches these too.
      for (const [name, schema] of linked)
        sections.set(name, `### ${name}\n\n${tableOf(['field', 'type', 'meaning'], rowsOf(schema))}`)
      return [...sections].sort(([a], [b]) => a.localeCompare(b, 'en')).map(([, section]) => section)
    },
  }
}

function presenceText({ default: byDefault }: JsonSchema, isRequired: boolean): string {
  if (byDefault !== undefined) return `${code(JSON.stringify(byDefault))} when absent`
  return isRequired ? '' : 'optional'
}

/** The names of exported object schemas, by their fields. */
function exportedNames(): Map<string, string[]> {
  const names = new Map<string, string[]>()
  for (const [name, schema] of Object.entries(contract)) {
    if (!(schema instanceof z.ZodObject)) continue
    const keys = new Set((['input', 'output'] as const).map((io) => keyOf(z.toJSONSchema(schema, { io }) as JsonSchema)))
    for (const key of keys) names.set(key, [...(names.get(key) ?? []), name])
  }
  return names
}

function keyOf({ properties, required }: JsonSchema): string {
  return JSON.stringify([properties, required])
}
