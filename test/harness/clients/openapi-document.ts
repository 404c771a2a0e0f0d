import { z } from 'zod'

/** What the tests read of an OpenAPI document. */
export interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>
  tags: { name: string }[]
  components: { schemas: Record<string, Schema> }
}

export interface Operation {
  operationId: string
  summary: string
  description: string
  tags: string[]
  security: Record<string, string[]>[]
  parameters?: { in: string; name: string; required: boolean; description?: string; example?: string }[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { description: string; headers?: Record<string, object>; content: Record<string, Media> }>
}

type Schema = Exclude<Parameters<typeof z.fromJSONSchema>[0], boolean>

interface Media {
  schema: Schema
  example: unknown
}

export interface DescribedOperation extends Operation {
  method: string
  path: string
}

export function operationsOf(document: OpenApiDocument): DescribedOperation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  )
}

/** The mismatch between a value and the document; undefined when there is none. */
export function mismatchOf(document: OpenApiDocument, { schema }: Media, value: unknown): string | undefined {
  const named = schema.$ref?.replace('#/components/schemas/', '')
  const resolved = named === undefined ? schema : document.components.schemas[named]!
  const parsed = z.fromJSONSchema(resolved).safeParse(value)
  return parsed.success ? undefined : z.prettifyError(parsed.error)
}
