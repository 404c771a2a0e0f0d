import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { interactionOf, Search, SearchClick, SearchQueriesRequest, SearchQueriesResponse } from '../../contract/search.ts'
import { wholeNumberOfText } from '../../contract/whole-number.ts'
import type { Database } from '../../store/database/connection.ts'
import type { Privacy } from '../../admission/privacy.ts'
import { searchQueries, searchQueryPositionOf } from '../../store/log/search-query.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { invalidCursor } from '../http/problem.ts'
import {
  recordingAnswers,
  type RecordingDeps,
  RecordingHeaders,
  RecordingQuery,
  type RecordingWays,
  recordRequest,
} from '../recording/record-request.ts'

export interface SearchDeps {
  db: Database
  /** A search is an event of its own kind; a click on its results is an interaction. */
  searches: RecordingWays
  interactions: RecordingWays
  privacy: Privacy
  observer: Pick<GatewayObserver, 'recorded'>
}

const SearchQueriesQuery = SearchQueriesRequest.extend({
  limit: wholeNumberOfText(1, 100).default(20).describe(SearchQueriesRequest.shape.limit.description!),
  days: wholeNumberOfText(1, 90).default(7).describe(SearchQueriesRequest.shape.days.description!),
})

export function searchRoutes({ db, searches, interactions, ...rest }: SearchDeps) {
  const ofSearches: RecordingDeps = { ...rest, ways: searches, kind: 'search' }
  const ofClicks: RecordingDeps = { ...rest, ways: interactions, kind: 'interaction' }
  return async (app: FastifyInstance) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post(
      '/api/v1/search',
      {
        config: { access: 'ingest' },
        schema: {
          operationId: 'recordSearch',
          summary: 'Record a search',
          description:
            'Each product that it showed counts once into its `search_count`. Identity, resending and beacons are as for interactions; the answer is that of a batch of one. A search whose time is refused is answered in `rejected`, and kept.',
          tags: ['search'],
          consumes: ['application/json', 'text/plain'],
          headers: RecordingHeaders,
          body: Search,
          querystring: RecordingQuery,
          response: recordingAnswers({
            recorded: 'What became of the search, also when it was refused.',
            accepted: 1,
            notOne: 'The body is not JSON, or not a search',
          }),
        },
      },
      (request, reply) => recordRequest(ofSearches, request, reply, [request.body]),
    )

    routes.post(
      '/api/v1/search/click',
      {
        config: { access: 'ingest' },
        schema: {
          operationId: 'recordSearchClick',
          summary: 'Record a click on a search result',
          description:
            'The same as an interaction `click_from_search` of the product with the normalised query as `metadata.query`. It counts into `search_click_count`, and into the clicks of the query.',
          tags: ['search'],
          consumes: ['application/json', 'text/plain'],
          headers: RecordingHeaders,
          body: SearchClick,
          querystring: RecordingQuery,
          response: recordingAnswers({
            recorded: 'What became of the click, also when it was refused.',
            accepted: 1,
            notOne: 'The body is not JSON, or not a click',
          }),
        },
      },
      (request, reply) => recordRequest(ofClicks, request, reply, [interactionOf(request.body)]),
    )

    routes.get(
      '/api/v1/search/queries',
      {
        config: { access: 'manage' },
        schema: {
          operationId: 'searchQueries',
          summary: 'What shoppers search for',
          description:
            'The most frequent queries of the last days first, ties by query; with `filter`, those that found nothing or led to no click. Read from the log. The pages of a cursor are of one window; searches that arrive late may still change the numbers.',
          tags: ['search'],
          querystring: SearchQueriesQuery,
          response: { 200: SearchQueriesResponse.describe('A page of queries.') },
        },
      },
      async ({ query: { limit, days, filter, cursor } }) => {
        const from =
          cursor === undefined ? { toMs: Date.now(), after: undefined } : searchQueryPositionOf(cursor, { days, filter })
        if (from === undefined) throw invalidCursor()
        return searchQueries(db, { limit, days, filter, ...from })
      },
    )
  }
}
