import { z } from 'zod'
import { pathOf, plainMessage } from '../../contract/fields/zod-messages.ts'

/** A setting that is a JSON object of the numbers that differ from the defaults of its schema. */
export function jsonObject<Schema extends z.ZodType>(schema: Schema) {
  const parsed = z.string().transform((text, context): z.infer<Schema> => {
    const { data, error } = schema.safeParse(jsonOf(text), { error: plainMessage })
    if (error === undefined) return data
    for (const issue of error.issues) {
      const field = pathOf(issue).join('.')
      const message = field === '' ? 'must be a JSON object' : `is wrong: ${field} ${issue.message}`
      context.addIssue({ code: 'custom', message })
    }
    return z.NEVER
  })
  return parsed.prefault('{}')
}

/** What a setting can change: the values that it has when it is absent. */
export function defaultsOf(schema: z.ZodType): string {
  return `\`${JSON.stringify(schema.parse({}))}\``
}

/** Undefined for a text that is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
