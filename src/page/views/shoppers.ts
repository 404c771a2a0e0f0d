import type { InteractionsResponse, LoggedInteraction } from '../../contract/interaction-log.ts'
import type { RecommendResponse } from '../../contract/recommendation.ts'
import type { ShopperContext } from '../../contract/shopper-context.ts'
import { filters } from '../components/form.ts'
import { badge, columns, empty, FILL_SHOP, noteOf, panel, partOf, viewHead } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { ago, number } from '../components/value.ts'
import { addressOf } from '../template/address.ts'
import { type Answer, dataOf } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'
import { productLink } from './hot-now.ts'
import { eventTypeName } from './product.ts'
import { reasonsOf } from './reasons.ts'

/** A recommendation with what the catalog has, as expand=product answers it. */
type Row = RecommendResponse['data'][number] & { product?: { name: string } | null }
export interface Recommended {
  data: Row[]
  meta: RecommendResponse['meta']
}

export interface ShopperParts {
  context: Answer<{ data: ShopperContext }>
  events: Answer<InteractionsResponse>
  recommended: Answer<Recommended>
  /** What would be recommended after the products of the what-if. */
  whatIf: Answer<Recommended> | undefined
}

export interface ShoppersPage {
  /** Such as account:ada. */
  shopper: string | undefined
  limit: string
  /** Products of the what-if, separated by commas. */
  context: string | undefined
  parts: ShopperParts | undefined
  /** The newest events of all shoppers, where none is named. */
  recent: Answer<InteractionsResponse> | undefined
  nowMs: number
}

const EXAMPLE = 'account:ada-1'
const EVENTS_SHOWN = 15
const SHOPPERS_SHOWN = 25

export function shoppersView({ shopper, limit, context, parts, recent, nowMs }: ShoppersPage): Node {
  return [
    viewHead(
      shopper ?? 'Shoppers',
      filters('/shoppers', [
        { kind: 'search', name: 'shopper', label: 'Shopper', value: shopper, placeholder: EXAMPLE },
        { kind: 'number', name: 'limit', label: 'Products', value: limit, min: 1, max: 100 },
        {
          kind: 'text',
          name: 'context',
          label: 'What if they now look at',
          value: context,
          placeholder: 'brass-lamp, oak-board',
        },
      ]),
    ),
    parts === undefined ? panel('Active now', noShopper(recent, nowMs)) : partsOf(parts, nowMs),
  ]
}

function partsOf({ context, events, recommended, whatIf }: ShopperParts, nowMs: number): Node {
  return columns(
    [
      panel(
        'What is recommended, and why',
        partOf(recommended, ({ data }) => recommendations(data)),
        { id: 'recommended', note: noteOf(recommended, ({ meta }) => summaryOf(meta)) },
      ),
      whatIf !== undefined &&
        panel(
          'What if they looked at these products now',
          partOf(whatIf, ({ data }) => recommendations(data)),
          { id: 'what-if', note: noteOf(whatIf, ({ meta }) => summaryOf(meta)) },
        ),
    ],
    [
      panel(
        'This visit',
        partOf(context, ({ data }) => visitOf(data, nowMs)),
        { note: noteOf(context, ({ data }) => data.last_active !== null && ['active ', ago(data.last_active, nowMs)]) },
      ),
      panel(
        'Latest events',
        partOf(events, ({ data }) => eventsTable(data, nowMs)),
      ),
    ],
  )
}

function summaryOf({ strategy, similarity_version, interactions }: RecommendResponse['meta']): Node {
  return [
    badge(strategy, strategy === 'personal' ? 'accent' : 'neutral'),
    ` by ${interactions} ${interactions === 1 ? 'event' : 'events'}`,
    similarity_version !== null && `, version ${similarity_version}`,
  ]
}

function recommendations(rows: readonly Row[]): Node {
  if (rows.length === 0) return empty('No product is left to recommend.', 'Products that are hidden or sold out are never there.')
  return table<Row>({
    caption: 'Recommended products, best first',
    columns: [
      { head: '#', cell: ({ rank }) => number(rank), isNumber: true },
      {
        head: 'Product, and why',
        cell: ({ product_id, product, reasons }) => [
          productLink(product_id, product),
          reasons !== undefined && reasonsOf(reasons),
        ],
        isHead: true,
      },
      { head: 'Score', cell: ({ score }) => number(score, 6), isNumber: true },
    ],
    rows,
    idOf: ({ product_id }) => product_id,
  })
}

function visitOf({ recent_products, categories }: ShopperContext, nowMs: number): Node {
  if (recent_products.length === 0) return empty('The shopper is not active now.')
  return [
    table({
      caption: 'Products of the visit, newest first',
      columns: [
        { head: 'Product', cell: ({ product_id }) => productLink(product_id), isHead: true },
        { head: 'Last', cell: ({ event_type }) => eventTypeName(event_type) },
        { head: 'When', cell: ({ occurred_at }) => ago(occurred_at, nowMs), shown: 'medium' },
      ],
      rows: recent_products,
    }),
    categories.length > 0 &&
      html`<p>
        ${categories.map(({ category, count }) => [html`<a href=${addressOf('/products', { category })}>${category}</a>`, ` × ${count} `])}
      </p>`,
  ]
}

function eventsTable(events: readonly LoggedInteraction[], nowMs: number): Node {
  if (events.length === 0) return empty('The log has no event of this shopper.')
  return table<LoggedInteraction>({
    caption: 'Latest events of the shopper, newest first',
    columns: [
      { head: 'When', cell: ({ occurred_at }) => ago(occurred_at, nowMs) },
      { head: 'Event', cell: ({ event_type }) => eventTypeName(event_type), isHead: true },
      { head: 'About', cell: ({ ref_type, ref_id }) => (ref_type === 'Product' ? productLink(ref_id) : ref_id) },
    ],
    rows: events.slice(0, EVENTS_SHOWN),
    idOf: ({ event_id }) => event_id,
  })
}

/** The shoppers of the newest events, each once. */
function noShopper(recent: Answer<InteractionsResponse> | undefined, nowMs: number): Node {
  const events = (recent && dataOf(recent)) ?? []
  const first = new Map(events.map((event) => [shopperOf(event), event] as const).toReversed())
  if (first.size === 0)
    return empty(
      html`No shopper was seen yet. Name one: <code>account:</code> and the id of an account, or <code>session:</code> and the id
        of a visit.`,
      FILL_SHOP,
    )
  return table({
    caption: 'Shoppers with the newest events',
    columns: [
      { head: 'Shopper', cell: ([shopper]) => html`<a href=${addressOf('/shoppers', { shopper })}>${shopper}</a>`, isHead: true },
      { head: 'Last', cell: ([, { event_type }]) => eventTypeName(event_type) },
      {
        head: 'About',
        cell: ([, { ref_type, ref_id }]) => (ref_type === 'Product' ? productLink(ref_id) : ref_id),
        shown: 'medium',
      },
      { head: 'When', cell: ([, { occurred_at }]) => ago(occurred_at, nowMs) },
    ],
    rows: [...first].toReversed().slice(0, SHOPPERS_SHOWN),
  })
}

function shopperOf({ account_id, session_id }: LoggedInteraction): string {
  return account_id === null ? `session:${session_id}` : `account:${account_id}`
}
