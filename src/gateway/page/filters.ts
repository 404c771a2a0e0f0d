import type { z } from 'zod'
import { plainMessage } from '../../contract/fields/zod-messages.ts'

/** Filters of a view by their names in the address. */
export type Filters = Readonly<Record<string, z.ZodType>>

type Query = Readonly<Record<string, string>>

/** The query without the filters that cannot be, and what is wrong with the first of them. */
export function checkedFilters(filters: Filters, query: Query): { query: Query; problem: string | undefined } {
  const problems = new Map(
    Object.entries(filters).flatMap(([name, schema]) => {
      const problem = query[name] === undefined ? undefined : problemOf(schema, query[name])
      return problem === undefined ? [] : [[name, `${name} ${problem}`] as const]
    }),
  )
  const [problem] = problems.values()
  return { query: Object.fromEntries(Object.entries(query).filter(([name]) => !problems.has(name))), problem }
}

/** In the words of the API. */
function problemOf(schema: z.ZodType, text: string): string | undefined {
  return schema.safeParse(text, { error: plainMessage }).error?.issues[0]?.message
}
