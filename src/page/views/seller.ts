import type { SellerMetrics } from '../../contract/product-metrics.ts'
import type { SellerDashboardResponse } from '../../contract/seller-dashboard.ts'
import { chart } from '../components/chart.ts'
import { type Field, filters } from '../components/form.ts'
import { card, cards, columns, empty, facts, panel, partOf, viewHead } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { amounts, change, dash, day, money, number } from '../components/value.ts'
import { sellerAddress } from '../template/address.ts'
import { type Answer, isProblem } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'
import { productLink } from './hot-now.ts'
import { RANGES } from './sellers.ts'

export interface SellerPage {
  sellerId: string
  days: string
  currency: string | undefined
  dashboard: Answer<SellerDashboardResponse>
  catalog: Answer<{ data: SellerMetrics }>
  /** A caller of one seller has no other view to go to. */
  isOwn: boolean
}

type Dashboard = SellerDashboardResponse['data']

export function sellerView(shown: SellerPage): Node {
  const { sellerId, dashboard, catalog, isOwn } = shown
  return [
    viewHead(sellerId, filters(sellerAddress(sellerId), fieldsOf(shown))),
    partOf(dashboard, ({ data, meta }) => [
      numbersOf(data, meta.start, meta.end),
      columns(
        [
          panel('Revenue', revenueChart(data), { note: rangeOf(meta) }),
          panel('Orders', ordersChart(data), { note: rangeOf(meta) }),
        ],
        [
          panel('Best products', bestProducts(data, isOwn), { id: 'best' }),
          panel(
            'Catalog',
            partOf(catalog, ({ data: metrics }) => catalogFacts(metrics)),
          ),
        ],
      ),
    ]),
  ]
}

function fieldsOf({ days, currency, dashboard }: SellerPage): Field[] {
  const currencies = isProblem(dashboard) ? [] : dashboard.meta.currencies
  const chosen = currency ?? (isProblem(dashboard) ? undefined : (dashboard.data.summary.currency ?? undefined))
  return [
    { kind: 'select', name: 'days', label: 'Range', value: days, options: RANGES, unit: 'day' },
    ...(currencies.length < 2
      ? []
      : [
          {
            kind: 'select' as const,
            name: 'currency',
            label: 'Currency',
            value: chosen,
            options: currencies.map((name) => [name, name] as const),
          },
        ]),
  ]
}

function rangeOf({ start, end }: SellerDashboardResponse['meta']): Node {
  return ['Days of UTC from ', day(start), ' to ', day(end)]
}

function numbersOf({ summary }: Dashboard, start: string, end: string): Node {
  const { comparison, currency } = summary
  const days = Math.round((Date.parse(end) - Date.parse(start)) / 86_400_000) + 1
  const before = (percent: number | null): Node =>
    percent === null
      ? 'nothing to compare with'
      : [change(percent), days === 1 ? ' against the day before' : ` against the ${days} days before`]
  return cards([
    card('Revenue', currency === null ? dash() : money(summary.total_revenue, currency), before(comparison.revenue_change)),
    card('Orders', number(summary.total_orders), before(comparison.orders_change)),
    card('Items sold', number(summary.items_sold), before(comparison.items_sold_change)),
    card('Average rating', number(summary.average_rating, 2), 'of 5'),
    card('Pending items', number(summary.pending_items), 'paid for, not decided'),
    card('Pending refunds', number(summary.pending_refunds), 'wait for their payment'),
  ])
}

function revenueChart({ charts, summary }: Dashboard): Node {
  if (charts.revenue.every(({ value }) => value === 0)) return empty('No revenue in this range.', 'Choose a longer range.')
  return chart({
    id: 'revenue',
    caption: `Revenue per day in ${summary.currency}`,
    step: 'day',
    times: charts.revenue.map(({ date }) => date),
    series: [{ label: 'Revenue', values: charts.revenue.map(({ value }) => value) }],
    ...(summary.currency !== null && { currency: summary.currency }),
  })
}

function ordersChart({ charts }: Dashboard): Node {
  if (charts.orders.every(({ value }) => value === 0)) return empty('No order in this range.')
  return chart({
    id: 'orders',
    caption: 'Orders per day',
    step: 'day',
    times: charts.orders.map(({ date }) => date),
    series: [{ label: 'Orders', values: charts.orders.map(({ value }) => value) }],
  })
}

function bestProducts({ top_products, summary }: Dashboard, isOwn: boolean): Node {
  if (top_products.length === 0) return empty('No product was sold in this range.')
  return table({
    caption: 'Best products, most items first',
    columns: [
      {
        head: 'Product',
        // The view of a product is not one that a seller's key opens.
        cell: ({ product_id: id, name }) => (isOwn ? (name ?? id) : productLink(id, name === null ? null : { name })),
        isHead: true,
      },
      { head: 'Sold', cell: ({ sold_count }) => number(sold_count), isNumber: true },
      { head: 'Revenue', cell: ({ revenue }) => money(revenue, summary.currency), isNumber: true },
    ],
    rows: top_products,
    idOf: ({ product_id }) => product_id,
  })
}

function catalogFacts(metrics: SellerMetrics): Node {
  return [
    facts([
      ['Products', number(metrics.total_products)],
      ['On sale', number(metrics.active_products)],
      ['Deleted', number(metrics.deleted_products)],
      ['Worth of the stock', amounts(metrics.amounts)],
    ]),
    metrics.total_products === 0 && html`<p class="quiet">The catalog has no product of this seller.</p>`,
  ]
}
