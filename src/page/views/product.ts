import type { InteractionsResponse, LoggedInteraction } from '../../contract/interaction-log.ts'
import type { Explanation, ExplanationResponse } from '../../contract/explanation.ts'
import type { Mode } from '../../contract/popular-list.ts'
import type { Popularity } from '../../contract/popularity.ts'
import type { CatalogProduct } from '../../contract/product.ts'
import type { SeriesResponse } from '../../contract/series.ts'
import type { SimilarResponse } from '../../contract/similar-product.ts'
import { chart } from '../components/chart.ts'
import { countOf, tabs } from '../components/form.ts'
import { badge, card, cards, columns, empty, facts, panel, partOf, type Tone, viewHead } from '../components/panel.ts'
import { bar } from '../components/sparkline.ts'
import { table } from '../components/table.ts'
import { ago, dash, instant, money, number } from '../components/value.ts'
import { addressOf, productAddress } from '../template/address.ts'
import { type Answer, dataOf } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'
import { MODE_NAMES, productLink } from './hot-now.ts'
import { sellerLink } from './sellers.ts'

export interface ProductPage {
  productId: string
  hours: number
  nowMs: number
  popularity: Answer<{ data: Popularity }>
  explanation: Answer<ExplanationResponse>
  catalog: Answer<{ data: CatalogProduct }>
  series: Answer<SeriesResponse> | undefined
  /** Its place in the list of each mode; null when it is not among the first. */
  /** null after the last that was asked for; undefined when the list could not be read. */
  /** `isWhole`: the list has fewer products than were asked for. */
  places: readonly { mode: Mode; place: number | null | undefined; isWhole?: boolean }[]
  placesMax: number
  similar: Answer<SimilarResponse>
  /** Undefined when the caller may not read the log. */
  events: Answer<InteractionsResponse> | undefined
}

const SPANS = [
  [24, '24 hours'],
  [168, '7 days'],
  [720, '30 days'],
  [2_160, '90 days'],
] as const

export function productView(shown: ProductPage): Node {
  const { productId, explanation, similar, events, nowMs } = shown
  const product = dataOf(shown.catalog)
  return [
    viewHead(headOf(productId, product), spanTabs(shown)),
    partOf(shown.popularity, ({ data }) => numbersOf(data, dataOf(explanation))),
    columns(
      [
        panel('Events', eventsChart(shown), { note: spanName(shown.hours) }),
        panel(
          'Where the score comes from',
          partOf(explanation, ({ data }) => explained(data)),
          { id: 'score' },
        ),
        events !== undefined &&
          panel(
            'Latest events',
            partOf(events, ({ data }) => latest(data, nowMs)),
          ),
      ],
      [
        panel('Catalog', product === undefined ? notInCatalog() : catalogFacts(product)),
        panel('Place in each list', placesTable(shown)),
        panel(
          'Similar products',
          partOf(similar, ({ data }) => similarTable(data)),
        ),
      ],
    ),
  ]
}

function headOf(productId: string, product: CatalogProduct | undefined): Node {
  if (product === undefined) return productId
  return [
    html`<bdi>${product.name}</bdi>`,
    ' ',
    html`<span class="quiet id">${productId}</span>`,
    ' ',
    statusBadge(product.status),
  ]
}

/** Products that are on sale need no badge. */
export function statusBadge(status: CatalogProduct['status']): Node {
  const tones: Record<CatalogProduct['status'], Tone> = { active: 'good', hidden: 'warn', deleted: 'bad' }
  return status === 'active' ? null : badge(status, tones[status])
}

function spanTabs({ productId, hours }: ProductPage): Node {
  const addressFor = (span: number) => addressOf(productAddress(productId), { hours: span === 168 ? undefined : span })
  return tabs(
    'Span of the chart',
    spansWith(hours).map(([span, label]) => ({ label, address: addressFor(span), isCurrent: span === hours })),
  )
}

function spansWith(hours: number): readonly (readonly [hours: number, label: string])[] {
  return SPANS.some(([span]) => span === hours) ? SPANS : [...SPANS, [hours, countOf(hours, 'hour')]]
}

function spanName(hours: number): string {
  const name = SPANS.find(([span]) => span === hours)?.[1] ?? countOf(hours, 'hour')
  return `Last ${name}, by ${hours <= 168 ? 'hour' : 'day in UTC'}`
}

function numbersOf(data: Popularity, explanation: Explanation | undefined): Node {
  /** Counters add up several event types. */
  const ofWhich = (type: string, what: string): Node => {
    const count = explanation?.event_types.find(({ event_type }) => event_type === type)?.count ?? 0
    return count > 0 && ['of which ', number(count), ` ${what}`]
  }
  return cards([
    card('Trending', number(data.trending_score, 1)),
    card('Score', number(data.score, 1)),
    card('Views', number(data.view_count), ofWhich('view_bounce', 'bounced')),
    card('Cart events', number(data.cart_count), ofWhich('remove_from_cart', 'removed it')),
    card('Orders', number(data.purchase_count)),
    card('Search clicks', number(data.search_click_count)),
  ])
}

const HOUR_MS = 3_600_000

function eventsChart({ series, productId }: ProductPage): Node {
  if (series === undefined) return empty('No event of the product was counted yet.')
  return partOf(series, ({ data: [row], meta: { from, step } }) => {
    if (row === undefined || row.counts.every((count) => count === 0)) return empty('No event in this span.')
    const stepMs = step === 'hour' ? HOUR_MS : 24 * HOUR_MS
    const times = row.counts.map((_count, index) => new Date(Date.parse(from) + index * stepMs).toISOString())
    const series = Object.entries(row.event_types).map(([type, values]) => ({ label: eventTypeName(type), values }))
    return chart({ id: 'events', caption: `Events of ${productId}`, step, times, series })
  })
}

/** An event type in words: "add_to_cart" is "Add to cart". */
export function eventTypeName(type: string): string {
  const words = type.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function explained(explanation: Explanation): Node {
  const { event_types, score, weights_version } = explanation
  if (event_types.length === 0) return empty('No event of the product was counted yet, so its score is 0.')
  const greatest = Math.max(...event_types.map((type) => Math.abs(type.score)), 1e-9)
  return [
    html`<p>Each event adds the weight of its type: together ${number(score, 1)}. ${trendingSentence(explanation)}</p>`,
    table({
      caption: 'What each event type adds to the score',
      columns: [
        { head: 'Event type', cell: ({ event_type }) => eventTypeName(event_type), isHead: true },
        { head: 'Events', cell: ({ count }) => number(count), isNumber: true },
        { head: 'Weight', cell: ({ weight }) => (weight === null ? dash() : number(weight, 2)), isNumber: true },
        { head: 'Score', cell: ({ score }) => number(score, 2), isNumber: true },
        {
          head: 'Part',
          cell: ({ score }) => bar(score / greatest, `${Math.round((100 * score) / greatest)} % of the greatest part`),
          shown: 'medium',
        },
        { head: 'Trending', cell: ({ trending_score }) => number(trending_score, 2), isNumber: true, shown: 'medium' },
      ],
      rows: event_types,
    }),
    html`<p class="quiet">Weights of version ${weights_version}.</p>`,
  ]
}

function trendingSentence({ trending_score, trending_from, half_life_hours }: Explanation): Node {
  return [
    'The trending score ',
    number(trending_score, 1),
    ' counts only events since ',
    instant(trending_from),
    `, and an event loses half of its weight every ${half_life_hours} hours.`,
  ]
}

function latest(events: readonly LoggedInteraction[], nowMs: number): Node {
  if (events.length === 0) return empty('The log has no event of the product.')
  return table({
    caption: 'Latest events, newest first',
    columns: [
      { head: 'When', cell: ({ occurred_at }) => ago(occurred_at, nowMs) },
      { head: 'Event', cell: ({ event_type }) => eventTypeName(event_type), isHead: true },
      { head: 'Shopper', cell: ({ account_id, session_id }) => account_id ?? session_id ?? dash() },
      { head: 'Recorded', cell: ({ recorded_at }) => instant(recorded_at), shown: 'medium' },
    ],
    rows: events,
    idOf: ({ event_id }) => event_id,
  })
}

function catalogFacts(product: CatalogProduct): Node {
  const linked = (value: string | undefined, address: (value: string) => string) =>
    value === undefined ? dash() : html`<a href=${address(value)}>${value}</a>`
  return facts([
    ['Category', linked(product.category, (category) => addressOf('/products', { category }))],
    ['Brand', linked(product.brand, (brand) => addressOf('/products', { brand }))],
    ['Seller', sellerLink(product.seller_id)],
    ['Price', money(product.price, product.currency)],
    ['In stock', stock(product.quantity)],
    ['Changed', instant(product.updated_at)],
  ])
}

/** How many items there are; below 0 more are ordered than there are. */
export function stock(quantity: number | undefined): Node {
  if (quantity === undefined) return dash()
  return quantity > 0 ? number(quantity) : [number(quantity), ' ', badge('sold out', 'bad')]
}

function notInCatalog(): Node {
  return empty(
    'The catalog does not have this product, so lists show its id.',
    html`Send it to <code>POST /api/v1/catalog/products</code>.`,
  )
}

function placesTable({ places, placesMax, productId }: ProductPage): Node {
  return table({
    caption: `The place of ${productId} in the list of each mode`,
    columns: [
      {
        head: 'List',
        cell: ({ mode }) =>
          html`<a href=${addressOf('/', { mode: mode === 'trending' ? undefined : mode })}>${MODE_NAMES[mode]}</a>`,
        isHead: true,
      },
      {
        head: 'Place',
        cell: ({ place, isWhole }) => {
          if (place === undefined) return dash()
          if (place === null) return html`<span class="quiet">${isWhole ? 'not in it' : `after ${placesMax}`}</span>`
          return number(place)
        },
        isNumber: true,
      },
    ],
    rows: places,
  })
}

function similarTable(data: SimilarResponse['data']): Node {
  if (data.length === 0) return empty('Too little is known: shoppers have not seen it near other products.')
  return table({
    caption: 'Similar products, best first',
    columns: [
      { head: 'Product', cell: ({ product_id, product }) => productLink(product_id, product), isHead: true },
      { head: 'Similarity', cell: ({ score }) => number(score, 3), isNumber: true },
    ],
    rows: data,
  })
}
