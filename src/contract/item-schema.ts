import { z } from 'zod'

/** The JSON schema of a batch item, to be attached to an unchecked one. */
export function itemSchemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input' })
  return rest
}
