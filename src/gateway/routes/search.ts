import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import {
  interactionOf,
  RecordSearchClickRequest,
  RecordSearchRequest,
  SearchQueriesRequest,
  SearchQueriesResponse,
} from '../../contract/search.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { createProductReader, withProducts } from '../../store/catalog/listed-product.ts'
import { searchQueries, searchQueryPositionOf } from '../../store/log/search-query.ts'
import type { Queryable } from '../../store/database/connection.ts'
import { taskCallerOf } from '../access/caller.ts'
import { shareAnswers } from '../caching/shared-answers.ts'
import { invalidCursor } from '../http/problem.ts'
import { recordingAnswers, RecordingHeaders, RecordingQuery, recordRequest } from '../recording/record-request.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const SEARCH_TAG = { name: 'search', description: 'What shoppers search for, are shown, and click.' }

const { shape } = SearchQueriesRequest
const SearchQueriesQuery = SearchQueriesRequest.extend({
  limit: wholeNumberOfText(1, 100).default(20).describe(shape.limit.description!),
  days: wholeNumberOfText(1, 90).default(7).describe(shape.days.description!),
})

/** A search with 100 of the longest ids, each character as an escape, has 250 KB. */
const SEARCH_BYTES_MAX = 1024 * 1024

const RECORD_SEARCH = {
  bodyLimit: SEARCH_BYTES_MAX,
  config: { access: 'ingest' },
  schema: {
    operationId: 'recordSearch',
    summary: 'Record a search',
    description:
      'Each product that it showed counts once into its `search_count`. Identity, resending and beacons are as for interactions; the answer is that of a batch of one. A search whose time is rejected is answered in `rejected`, and kept.',
    tags: ['search'],
    consumes: ['application/json', 'text/plain'],
    headers: RecordingHeaders,
    body: RecordSearchRequest,
    querystring: RecordingQuery,
    response: recordingAnswers({
      recorded: 'The outcome of the search, even if it was rejected.',
      accepted: 1,
      notOne: 'The body is not JSON, or not a search',
      largest: '1 MiB',
    }),
  },
} as const satisfies RouteShorthandOptions

const RECORD_CLICK = {
  bodyLimit: SEARCH_BYTES_MAX,
  config: { access: 'ingest' },
  schema: {
    operationId: 'recordSearchClick',
    summary: 'Record a click on a search result',
    description:
      'The same as an interaction `click_from_search` of the product with the normalised query as `metadata.query`. It counts into `search_click_count`, and into the clicks of the query.',
    tags: ['search'],
    consumes: ['application/json', 'text/plain'],
    headers: RecordingHeaders,
    body: RecordSearchClickRequest,
    querystring: RecordingQuery,
    response: recordingAnswers({
      recorded: 'The outcome of the click, even if it was rejected.',
      accepted: 1,
      notOne: 'The body is not JSON, or not a click',
      largest: '1 MiB',
    }),
  },
} as const satisfies RouteShorthandOptions

const QUERIES = {
  config: { access: 'manage' },
  schema: {
    operationId: 'searchQueries',
    summary: 'What shoppers search for',
    description:
      'The most frequent queries of the last days first, ties by query; with `filter`, those that found nothing or led to no click. Read from the log. The pages of a cursor are of one window; searches that arrive late may still change the numbers. An answer is kept for a second, or for three times as long as it took to read, up to ten seconds.',
    tags: ['search'],
    querystring: SearchQueriesQuery,
    response: { 200: SearchQueriesResponse.describe('A page of queries.') },
  },
} as const satisfies RouteShorthandOptions

/** A search is an event of its own kind; a click on its results is an interaction. */
export function searchRoutes(deps: RouteDeps): RoutePlugin {
  const queriesOf = shareAnswers<SearchQueriesRequest, SearchQueriesResponse>(deps.lines.long, {
    read: readQueries,
    keyOf: ({ limit, days, filter, cursor, expand }) => JSON.stringify([limit, days, filter, cursor, expand]),
    cacheMs: deps.settings.popularCacheMs,
  })
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post('/api/v1/search', RECORD_SEARCH, (request, reply) =>
      recordRequest(deps, { kind: 'search', items: [request.body], request, reply }),
    )

    routes.post('/api/v1/search/click', RECORD_CLICK, (request, reply) =>
      recordRequest(deps, { kind: 'interaction', items: [interactionOf(request.body)], request, reply }),
    )

    routes.get('/api/v1/search/queries', QUERIES, async (request) => {
      const { cursor, days, filter } = request.query
      // Before it waits for its turn.
      if (cursor !== undefined && searchQueryPositionOf(cursor, { days, filter }) === undefined) throw invalidCursor()
      return queriesOf(request.query, taskCallerOf(request))
    })
  }
}

/** A first page is of the days that end now, and a further one of those of its cursor. */
async function readQueries(db: Queryable, request: SearchQueriesRequest): Promise<SearchQueriesResponse> {
  const { limit, days, filter, cursor, expand } = request
  const from = cursor === undefined ? { toMs: Date.now(), after: undefined } : searchQueryPositionOf(cursor, { days, filter })
  if (from === undefined) throw invalidCursor()
  const { data, meta } = await searchQueries(db, { limit, days, filter, ...from })
  const read = createProductReader(db)
  const withTheirs = data.map(async (query) => ({ ...query, products: await withProducts(read, query.products, expand) }))
  return { data: await Promise.all(withTheirs), meta }
}
