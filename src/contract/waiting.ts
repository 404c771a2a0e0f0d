import { z } from 'zod'

/** In the answer of a recording handler that found PostgreSQL away. */
export const Waiting = z
  .object({ invocation_id: z.string() })
  .optional()
  .describe(
    'PostgreSQL does not answer: Restate has the items, and records them when it is back. The other fields say nothing yet; `GET /restate/attach/<invocation_id>` of the ingress gives the answer. Absent otherwise.',
  )
export type Waiting = z.infer<typeof Waiting>
