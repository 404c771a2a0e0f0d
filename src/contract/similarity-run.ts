import { z } from 'zod'
import { pageLimit, PageOffset } from './fields/page.ts'
import { storableText } from './fields/text.ts'
import { handler, Nothing, sharedHandler } from './handler.ts'
import { RUN_STATUSES } from './recompute-run.ts'
import { SettingsVersion } from './similarity-settings.ts'

export const SIMILARITY_RUN_KINDS = ['requested', 'scheduled'] as const
export type SimilarityRunKind = (typeof SIMILARITY_RUN_KINDS)[number]

/** What a running run does: it reads the log, counts pairs block by block, and writes the rows. */
export const SIMILARITY_STAGES = ['reading', 'counting', 'writing'] as const
export type SimilarityStage = (typeof SIMILARITY_STAGES)[number]

const requestedBy = storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.')
const actor = storableText(200).describe('The caller, for the audit log.')

export const RequestSimilarityRun = z.strictObject({ requested_by: requestedBy })
export type RequestSimilarityRun = z.infer<typeof RequestSimilarityRun>

export const StartSimilarityRun = z.strictObject({ actor, requested_by: requestedBy })
export type StartSimilarityRun = z.infer<typeof StartSimilarityRun>

export const SimilarityRun = z.object({
  id: z.uuid(),
  kind: z.enum(SIMILARITY_RUN_KINDS).describe('`scheduled`: started by Footfall.'),
  requested_by: z.string().nullable(),
  actor: z.string(),
  status: z.enum(RUN_STATUSES),
  stage: z.enum(SIMILARITY_STAGES).optional().describe('What it does, while it runs.'),
  progress: z
    .object({ done: z.int(), total: z.int() })
    .describe('Blocks of products whose pairs are counted. The total is 0 until the log is read.'),
  requested_at: z.iso.datetime(),
  started_at: z.iso.datetime().optional(),
  finished_at: z.iso.datetime().optional(),
  error_message: z.string().optional(),
  version: z.int().optional().describe('The version that it put in force, once it has completed.'),
})
export type SimilarityRun = z.infer<typeof SimilarityRun>

export const SimilarityRunsRequest = z.strictObject({
  status: z.enum(RUN_STATUSES).optional().describe('Only runs with this status.'),
  limit: pageLimit(50, 'Runs of the page.'),
  offset: PageOffset,
})
export type SimilarityRunsRequest = z.infer<typeof SimilarityRunsRequest>

export const CancelSimilarityRun = z.strictObject({ actor, requested_by: requestedBy })
export type CancelSimilarityRun = z.infer<typeof CancelSimilarityRun>

export const SimilarityVersion = z.object({
  version: z.int(),
  is_in_force: z.boolean(),
  run_id: z.uuid(),
  read_at: z.iso.datetime().describe('The version has what the log had at this instant.'),
  made_at: z.iso.datetime(),
  products: z.int().describe('Products of the log and of the catalog.'),
  shoppers: z.int().describe('Shoppers whose events count.'),
  events: z.int().describe('Events that count, after the bounds per shopper.'),
  pairs: z.int().describe('Neighbours of all products.'),
  bots: z.int().describe('Shoppers that were left out because they had too many events on a day.'),
  content_weight: z.number().describe('What a cosine of category and brand counts next to a similarity.'),
  event_types: z.array(z.string()).describe('The types of events that count.'),
  settings_version: SettingsVersion.describe('The ranking settings that it was made with; 0 for the defaults.'),
  settings: z.record(z.string(), z.unknown()).describe('All settings that it was made with, with its bounds.'),
})
export type SimilarityVersion = z.infer<typeof SimilarityVersion>

export const SimilarityVersionsResponse = z.object({ data: z.array(SimilarityVersion) })
export type SimilarityVersionsResponse = z.infer<typeof SimilarityVersionsResponse>

export const PromoteSimilarityVersion = z.strictObject({
  version: z.int().min(1).describe('One of the last two versions.'),
  actor,
  requested_by: requestedBy,
})
export type PromoteSimilarityVersion = z.infer<typeof PromoteSimilarityVersion>

export const similarityRunHandlers = {
  Start: handler({
    input: StartSimilarityRun,
    output: SimilarityRun,
    isForOperators: true,
    description:
      'Requests a new version of which products are similar. The key is the run id, a UUID in lower case; 409 if a run is open.',
  }),
  Execute: handler({ input: Nothing, description: 'Private. Does the work.' }),
  Abandon: handler({
    input: Nothing,
    description: 'Private. Fails a run that is still open. The call waits for the key, which a working run holds.',
  }),
  Status: sharedHandler({
    input: Nothing,
    output: SimilarityRun,
    description: 'The run with its progress and outcome; 404 if it does not exist.',
  }),
  Cancel: sharedHandler({
    input: CancelSimilarityRun,
    output: SimilarityRun,
    isForOperators: true,
    description: 'Ends the run before its next block; the version in force stays. 409 if it has ended.',
  }),
}

/** Of the service Catalog. */
export const similarityVersionHandlers = {
  PromoteSimilarity: handler({
    input: PromoteSimilarityVersion,
    output: SimilarityVersion,
    isForOperators: true,
    description:
      'Puts the other one of the last two versions in force: back to the one before, or forward again. 404 if it is none of them.',
  }),
}
