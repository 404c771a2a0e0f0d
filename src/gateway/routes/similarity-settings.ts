import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { OFFSET_MAX } from '../../contract/fields/page.ts'
import { storableText } from '../../contract/fields/text.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { SimilaritySettings, SimilaritySettingsRequest } from '../../contract/similarity-settings.ts'
import { createSimilarityRunsClient } from '../../ingress/similarity-runs-client.ts'
import { listRankingSettings } from '../../store/similarity/ranking-settings.ts'
import { callerIdOf, hangUpOf, taskCallerOf } from '../access/caller.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const DEFAULTS = { alpha: 0.5, beta: 0.2, gamma: 0.5, rho: 0.3, kappa: 1, contentFactor: 0.5, decay: 0.6 }
const EXAMPLE: SimilaritySettings = {
  settings_version: 1,
  is_in_force: true,
  source: 'tuned',
  made_at: '2026-04-01T09:00:00.000Z',
  made_by: 'ada',
  promoted_at: '2026-04-01T09:30:00.000Z',
  promoted_by: 'merchandising',
  settings: { ...DEFAULTS, rho: 1, decay: 0.9 },
  evidence: {
    data: 'log',
    protocol: 'time-split',
    seed: 1,
    shoppers: 118_000,
    products: 41_200,
    events: 2_150_000,
    cases: 10_000,
    k: 10,
    trials: 14,
    bounds: { window: 20, neighboursMax: 100, shopperEventsMax: 50, productEventsMax: 2_000 },
    before: { settings: DEFAULTS, ndcg: 0.0133, hr: 0.0241 },
    after: { ndcg: 0.0171, hr: 0.0305 },
  },
}

const Page = z
  .object({ data: z.array(SimilaritySettings), meta: z.object({ total: z.int().describe('Settings of all pages.') }) })
  .meta({ examples: [{ data: [EXAMPLE], meta: { total: 2 } }] })
const Answer = z.object({ data: SimilaritySettings }).meta({ examples: [{ data: EXAMPLE }] })
const Query = SimilaritySettingsRequest.extend({
  limit: wholeNumberOfText(1, 100).default(50).describe('Settings of the page.'),
  offset: wholeNumberOfText(0, OFFSET_MAX).default(0).describe('Settings before the page.'),
})
const SettingsNumber = z.object({
  settings_version: wholeNumberOfText(0, 2 ** 31 - 1)
    .meta({ examples: [EXAMPLE.settings_version] })
    .describe('Their number; 0 for the defaults of the release.'),
})
const Headers = z.object({
  'x-actor': storableText(200).optional().describe('On whose behalf: recorded as the caller claims it.'),
})

const LIST = {
  config: { access: 'read' },
  schema: {
    operationId: 'similaritySettings',
    summary: 'Ranking settings',
    description:
      'What the formula of similar products and recommendations multiplies and divides by, the newest first, with what a tuning measured for it. One is in force: the next version is made with it.',
    tags: ['similarity'],
    querystring: Query,
    response: { 200: Page.describe('A page of settings.') },
  },
} as const satisfies RouteShorthandOptions

const PROMOTE = {
  config: { access: 'manage' },
  schema: {
    operationId: 'promoteSimilaritySettings',
    summary: 'Put ranking settings in force',
    description:
      'The next version of similar products is made with them; the version that serves keeps its own. Promoting those in force changes nothing.',
    tags: ['similarity'],
    headers: Headers,
    params: SettingsNumber,
    querystring: z.strictObject({}),
    response: {
      200: Answer.describe('The settings, which are in force.'),
      404: ErrorBody.describe('There are none of this number.'),
      503: ErrorBody.describe('Outcome unknown: promote them again.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** A few hundred bytes. */
const NO_BODY = new Uint8Array()

export function similaritySettingsRoutes({ lines, ingress, recording }: RouteDeps): RoutePlugin {
  const client = createSimilarityRunsClient(ingress)
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/similarity-settings', LIST, async (request) => {
      const { settings, total } = await lines.short.read(taskCallerOf(request), (db) => listRankingSettings(db, request.query))
      return { data: settings, meta: { total } }
    })

    routes.post('/api/v1/similarity-settings/:settings_version/promote', PROMOTE, async (request) => {
      const requestedBy = request.headers['x-actor']
      const by = { actor: request.apiKey?.name ?? 'local', ...(requestedBy !== undefined && { requested_by: requestedBy }) }
      const turn = { caller: callerIdOf(request), signal: hangUpOf(request), body: NO_BODY }
      const promote = () => client.promoteSettings({ ...request.params, ...by })
      const data = await recording.gate(turn, promote).catch((error: unknown) => {
        throw unknownOutcome(error, 'promote them again')
      })
      return { data }
    })
  }
}
