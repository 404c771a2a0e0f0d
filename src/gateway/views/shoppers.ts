import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import type { ShopperContext } from '../../contract/shopper-context.ts'
import type { InteractionsResponse, LoggedInteraction } from '../../contract/interaction-log.ts'
import { dataOf } from '../../page/template/answer.ts'
import { type Recommended, type ShopperParts, shoppersView } from '../../page/views/shoppers.ts'
import type { PageApi } from '../page/page-api.ts'
import type { PageView } from '../page/view.ts'

const LIMIT_DEFAULT = '10'
const LIMIT_MAX = 100
const CONTEXT_MAX = 20
/** Together with the products of the what-if, no more than a history may have. */
const EVENTS_MAX = 80
const RECENT_MAX = 100
const LOG = '/api/v1/analytic/interactions'
const MINUTE_MS = 60_000
const IS_PREVIEW = { preview: true, expand: 'product' }

/** One shopper: what they did, what is recommended to them, and what would be. */
export const shoppers: PageView = {
  path: '/shoppers',
  label: 'Shoppers',
  isInHeader: true,
  access: 'manage',
  isPersonal: true,
  filters: { limit: wholeNumberOfText(1, LIMIT_MAX) },
  show: async (api, { query, nowMs }) => {
    const { shopper, context, limit = LIMIT_DEFAULT } = query
    const person = personOf(shopper)
    const parts = person && (await partsOf(api, person, { limit, context, nowMs }))
    const recent = person === undefined ? await api.get<InteractionsResponse>(LOG, { limit: RECENT_MAX }) : undefined
    const name = person && `${person.kind}:${person.id}`
    return { title: name ?? 'Shoppers', body: shoppersView({ shopper: name, limit, context, parts, recent, nowMs }) }
  },
}

interface Person {
  kind: 'account' | 'session'
  id: string
}

/** A shopper in the form of the API; an id alone is that of an account. */
function personOf(text: string | undefined): Person | undefined {
  const [, kind, id] = /^(?:(account|session):)?(.+)$/.exec(text?.trim() ?? '') ?? []
  return id === undefined ? undefined : { kind: kind === 'session' ? 'session' : 'account', id }
}

async function partsOf(
  api: PageApi,
  { kind, id }: Person,
  { limit, context, nowMs }: { limit: string; context: string | undefined; nowMs: number },
): Promise<ShopperParts> {
  const named = { [`${kind}_id`]: id }
  const logged = api.get<InteractionsResponse>(LOG, { ...named, limit: EVENTS_MAX })
  const [seen, events, recommended, whatIf] = await Promise.all([
    api.get<{ data: ShopperContext }>(`/api/v1/shoppers/${encodeURIComponent(`${kind}:${id}`)}/context`),
    logged,
    api.get<Recommended>('/api/v1/recommendations', { ...named, ...IS_PREVIEW, limit, explain: true }),
    context === undefined
      ? undefined
      : logged.then((answer) => {
          const history = [...newestOf(context, nowMs), ...historyOf(dataOf(answer) ?? [])]
          const body = { history, limit: Number(limit), explain: true, expand: 'product' }
          return api.query<Recommended>('/api/v1/recommendations?preview=true', body)
        }),
  ])
  return { context: seen, events, recommended, whatIf }
}

/** The events of the log with products, as a request for recommendations brings them. */
function historyOf(events: readonly LoggedInteraction[]) {
  return events
    .filter(({ ref_type }) => ref_type === 'Product')
    .map(({ ref_id, occurred_at, event_type }) => ({ product_id: ref_id, occurred_at, event_type }))
}

/** Views of the named products, a minute apart, the first one now. */
function newestOf(context: string, nowMs: number) {
  const products = context
    .split(',')
    .map((text) => text.trim())
    .filter(Boolean)
    .slice(0, CONTEXT_MAX)
  return products.map((product_id, index) => ({
    product_id,
    occurred_at: new Date(nowMs - index * MINUTE_MS).toISOString(),
    event_type: 'view',
  }))
}
