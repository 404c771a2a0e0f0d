import { z } from 'zod'
import type { Route } from './cases.ts'

/** Compares answers with the document that describes them. */
export type FindingOf = (route: Route, answer: Answer) => string | undefined

export interface Answer {
  status: number
  contentType: string | null
  text: string
}

/** @returns a function that gives the problem of an answer; undefined when the answer is as the document has it. */
export function createFindings(sharedSchemas: object): FindingOf {
  const schemas = new Map<object, z.ZodType>()
  const isOfSchema = (schema: object, body: unknown): boolean => {
    const known = schemas.get(schema) ?? z.fromJSONSchema(withDefinitions(schema, sharedSchemas))
    schemas.set(schema, known)
    return known.safeParse(body).success
  }
  return ({ operation }, { status, contentType, text }) => {
    const content = Object.entries(operation.responses[status]?.content ?? {})
    // An empty id, or a dot, makes another address.
    if (status === 404 || status === 405) return text.startsWith('{"error":') ? undefined : `${status} without an error`
    if (content.length === 0) return `${status} is not documented`
    if (status >= 500) return String(status)
    const [type, { schema }] = content[0]!
    if (!contentType?.startsWith(type)) return `content type ${contentType}`
    return isOfSchema(schema, JSON.parse(text)) ? undefined : `${status} with another body than documented`
  }
}

/** Moves shared schemas from where OpenAPI has them to where JSON Schema expects them. */
function withDefinitions(schema: object, sharedSchemas: object): Record<string, unknown> {
  const text = JSON.stringify({ ...schema, $defs: sharedSchemas })
  return JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as Record<string, unknown>
}
