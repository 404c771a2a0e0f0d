import { z } from 'zod'

/**
 * A list of 1 to `max` items. They are unknown to the request's schema, so that each is checked alone and a wrong item does not
 * reject the others; their own schema stands in JSON schemas only.
 */
export function uncheckedItems(schema: z.ZodType, max: number) {
  return z.array(uncheckedItem(schema)).min(1).max(max)
}

/** An item that is checked elsewhere; its schema stands in JSON schemas only. */
export function uncheckedItem(schema: z.ZodType) {
  return z.unknown().meta(jsonSchemaOf(schema))
}

/** What a JSON schema says about the values of a schema. */
export function jsonSchemaOf(schema: z.ZodType) {
  const { $schema: _dialect, ...jsonSchema } = z.toJSONSchema(schema, { io: 'input' })
  return jsonSchema
}
