import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import type { ExplanationResponse } from '../../contract/explanation.ts'
import type { InteractionsResponse } from '../../contract/interaction-log.ts'
import { type Mode, MODES, type PopularResponse } from '../../contract/popular-list.ts'
import type { Popularity } from '../../contract/popularity.ts'
import type { CatalogProduct } from '../../contract/product.ts'
import { SERIES_HOURS_MAX, type SeriesResponse } from '../../contract/series.ts'
import type { SimilarResponse } from '../../contract/similar-product.ts'
import { type Answer, dataOf, isProblem } from '../../page/template/answer.ts'
import { type ProductPage, productView } from '../../page/views/product.ts'
import type { PageApi } from '../page/page-api.ts'
import type { PageView } from '../page/view.ts'

/** The length of the lists in which its place is looked up; the most that the API answers at once. */
const PLACES_MAX = 100
/** Lines of the chart. */
const CHART_TYPES_MAX = 5
const HOURS_DEFAULT = 168

/** One product: its events, the reasons of its score, its places, and what the catalog has. */
export const product: PageView = {
  path: '/product/:product_id',
  label: 'Product',
  isInHeader: false,
  access: 'read',
  isPersonal: true,
  hasChart: true,
  filters: { hours: wholeNumberOfText(1, SERIES_HOURS_MAX) },
  show: async (api, { params, query, nowMs, scopes }) => {
    const productId = params['product_id']!
    const id = encodeURIComponent(productId)
    const hours = Number(query['hours'] ?? HOURS_DEFAULT)
    const explaining = api.get<ExplanationResponse>(`/api/v1/analytic/popularity/${id}/explain`)
    const [popularity, explanation, catalog, series, places, similar, events] = await Promise.all([
      api.get<{ data: Popularity }>(`/api/v1/analytic/popularity/${id}`),
      explaining,
      api.get<{ data: CatalogProduct }>(`/api/v1/catalog/products/${id}`),
      explaining.then((answer) => seriesOf(api, productId, { hours, explanation: answer })),
      placesOf(api, productId),
      api.get<SimilarResponse>(`/api/v1/products/${id}/similar`, { limit: 8, expand: 'product' }),
      scopes.includes('manage')
        ? api.get<InteractionsResponse>('/api/v1/analytic/interactions', { product_id: productId, limit: 12 })
        : undefined,
    ])
    const name = dataOf(catalog)?.name ?? productId
    const isUnknown = isNotFound(popularity) && isNotFound(catalog)
    const shown: ProductPage = {
      productId,
      hours,
      nowMs,
      popularity,
      explanation,
      catalog,
      series,
      places,
      similar,
      events,
      placesMax: PLACES_MAX,
    }
    return { title: name, body: productView(shown), ...(isUnknown && { status: 404 }) }
  },
}

function isNotFound(answer: Answer<object>): boolean {
  return isProblem(answer) && answer.error.code === 'not_found'
}

/** The types that add most to the score. */
function typesOf(explanation: ExplanationResponse['data'] | undefined): string[] {
  return (explanation?.event_types ?? []).slice(0, CHART_TYPES_MAX).map(({ event_type }) => event_type)
}

async function seriesOf(
  api: PageApi,
  productId: string,
  { hours, explanation }: { hours: number; explanation: Answer<ExplanationResponse> },
): Promise<ProductPage['series']> {
  // What could not be read is not said to be empty.
  if (isProblem(explanation) && !isNotFound(explanation)) return explanation
  const types = typesOf(dataOf(explanation))
  if (types.length === 0) return undefined
  return api.get<SeriesResponse>('/api/v1/products/series', { product_ids: [productId], hours, event_types: types })
}

function placesOf(api: PageApi, productId: string): Promise<ProductPage['places']> {
  return Promise.all(
    (Object.keys(MODES) as Mode[]).map(async (mode) => {
      const list = dataOf(await api.get<PopularResponse>('/api/v1/products/popular', { mode, limit: PLACES_MAX }))
      if (list === undefined) return { mode, place: undefined }
      const index = list.findIndex(({ product_id }) => product_id === productId)
      return { mode, place: index === -1 ? null : index + 1, isWhole: list.length < PLACES_MAX }
    }),
  )
}
