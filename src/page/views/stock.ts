import type { AlertDelivery } from '../../contract/alert-delivery.ts'
import type { Alert } from '../../contract/alert.ts'
import type { CategoryMetrics, LowStock, SellerMetrics } from '../../contract/product-metrics.ts'
import { actionForm } from '../components/form.ts'
import { outcome } from '../components/outcome.ts'
import { badge, card, cards, columns, empty, noteOf, panel, partOf, type Tone, viewHead } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { ago, amounts, dash, instant, number } from '../components/value.ts'
import { addressOf } from '../template/address.ts'
import { type Answer, dataOf, isProblem } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'
import { productLink } from './hot-now.ts'
import { sellerLink } from './sellers.ts'

export interface StockPage {
  nowMs: number
  done: string | undefined
  low: Answer<{ data: LowStock }>
  /** Of the sellers with the most orders of the last 30 days. */
  sellers: Answer<readonly SellerMetrics[]>
  /** Of the categories with the most events of the last 7 days. */
  categories: Answer<readonly CategoryMetrics[]>
  /** Undefined when the caller may not manage. */
  alerts: Answer<{ data: Alert[] }> | undefined
  /** Those of the chosen alert. */
  deliveries: { alertId: string; list: Answer<{ data: AlertDelivery[] }> } | undefined
}

const OUTCOMES = { replayed: 'The delivery is sent again.' }
const LOW_SHOWN = 50
const CROSSINGS_SHOWN = 15

export function stockView(shown: StockPage): Node {
  const { low, sellers, categories, alerts, nowMs } = shown
  return [
    viewHead('Catalog and stock'),
    outcome(shown.done, OUTCOMES),
    partOf(low, ({ data }) => numbersOf(data, isProblem(sellers) ? [] : sellers)),
    columns(
      [
        panel(
          'Low stock',
          partOf(low, ({ data }) => lowTable(data)),
          { id: 'low', note: noteOf(low, ({ data }) => `Fewer than ${data.low_stock_below} items`) },
        ),
        panel(
          'Sellers',
          partOf(sellers, (rows) => (rows.length === 0 ? noSeller() : sellersTable(rows))),
          { id: 'sellers', note: 'Those with the most orders of the last 30 days' },
        ),
        panel(
          'Categories',
          partOf(categories, (rows) => (rows.length === 0 ? noCatalog() : categoriesTable(rows))),
          { id: 'categories', note: 'Those with the most events of the last 7 days' },
        ),
      ],
      [
        panel(
          'Latest changes of stock',
          partOf(low, ({ data }) => crossingsTable(data, nowMs)),
        ),
        alerts !== undefined &&
          panel(
            'Alerts',
            partOf(alerts, ({ data }) => (data.length === 0 ? noAlert() : alertsTable(data))),
          ),
        shown.deliveries !== undefined && deliveriesPanel(shown),
      ],
    ),
  ]
}

function numbersOf({ low_stock_count, products }: LowStock, sellers: readonly SellerMetrics[]): Node {
  const sum = (of: (seller: SellerMetrics) => number) => sellers.reduce((total, seller) => total + of(seller), 0)
  const soldOut = products.filter(({ quantity }) => quantity <= 0).length
  return cards([
    card('Low stock', number(low_stock_count), 'products on sale'),
    card('Sold out', number(soldOut), 'of those listed here'),
    card('Products', number(sum(({ total_products }) => total_products)), 'of the sellers below'),
    card('On sale', number(sum(({ active_products }) => active_products))),
  ])
}

function lowTable({ products }: LowStock): Node {
  if (products.length === 0) return empty('No product on sale is low.')
  return [
    table({
      caption: 'Products with the fewest items first',
      columns: [
        { head: 'Product', cell: ({ product_id, name }) => productLink(product_id, { name }), isHead: true },
        { head: 'Items', cell: ({ quantity }) => number(quantity), isNumber: true },
        { head: 'State', cell: ({ quantity }) => lowBadge(quantity) },
        { head: 'Category', cell: ({ category }) => category ?? dash(), shown: 'medium' },
        { head: 'Seller', cell: ({ seller_id }) => sellerLink(seller_id), shown: 'medium' },
      ],
      rows: products.slice(0, LOW_SHOWN),
      idOf: ({ product_id }) => product_id,
    }),
    products.length > LOW_SHOWN && html`<p class="quiet">and ${products.length - LOW_SHOWN} more.</p>`,
  ]
}

function lowBadge(quantity: number | null): Node {
  return quantity !== null && quantity <= 0 ? badge('sold out', 'bad') : badge('low', 'warn')
}

function sellersTable(rows: readonly SellerMetrics[]): Node {
  return table<SellerMetrics>({
    caption: 'The catalog of each seller',
    columns: [
      { head: 'Seller', cell: ({ seller_id }) => sellerLink(seller_id), isHead: true },
      { head: 'Products', cell: ({ total_products }) => number(total_products), isNumber: true },
      { head: 'On sale', cell: ({ active_products }) => number(active_products), isNumber: true },
      { head: 'Deleted', cell: ({ deleted_products }) => number(deleted_products), isNumber: true, shown: 'medium' },
      { head: 'Worth of the stock', cell: (row) => amounts(row.amounts), isNumber: true },
    ],
    rows,
  })
}

function categoriesTable(rows: readonly CategoryMetrics[]): Node {
  return table<CategoryMetrics>({
    caption: 'The catalog of each category',
    columns: [
      {
        head: 'Category',
        cell: ({ category }) => html`<a href=${addressOf('/products', { category })}>${category}</a>`,
        isHead: true,
      },
      { head: 'Products', cell: ({ total_products }) => number(total_products), isNumber: true },
      { head: 'Average price', cell: ({ average_prices }) => amounts(average_prices), isNumber: true, shown: 'medium' },
      { head: 'Worth of the stock', cell: (row) => amounts(row.amounts), isNumber: true },
    ],
    rows,
  })
}

function noSeller(): Node {
  return empty('No seller sold anything in the last 30 days.', html`<a href="/products">Show the products of all sellers</a>`)
}

function noCatalog(): Node {
  return empty(
    'No product of the catalog has a category.',
    html`Send products to <code>POST /api/v1/catalog/products</code>, or run <code>./footfall demo</code>.`,
  )
}

function crossingsTable({ crossings }: LowStock, nowMs: number): Node {
  if (crossings.length === 0) return empty('No product crossed the bound in the last 30 days.')
  return table({
    caption: 'The latest products that became low, or are low no more',
    columns: [
      { head: 'When', cell: ({ crossed_at }) => ago(crossed_at, nowMs) },
      {
        head: 'Product',
        cell: ({ product_id, name }) => productLink(product_id, name === undefined ? null : { name }),
        isHead: true,
      },
      { head: 'State', cell: ({ is_low, quantity }) => (is_low ? lowBadge(quantity) : badge('enough', 'good')) },
      { head: 'Items', cell: ({ quantity }) => number(quantity), isNumber: true },
    ],
    rows: crossings.slice(0, CROSSINGS_SHOWN),
  })
}

function alertsTable(rows: readonly Alert[]): Node {
  return table<Alert>({
    caption: 'Alerts',
    columns: [
      { head: 'Alert', cell: ({ id, name }) => html`<a href=${addressOf('/stock', { alert: id })}>${name}</a>`, isHead: true },
      { head: 'About', cell: ({ kind }) => kind.replaceAll('_', ' ') },
      { head: 'State', cell: ({ is_on }) => (is_on ? badge('on', 'good') : badge('off')) },
      { head: 'Waiting', cell: ({ pending }) => number(pending), isNumber: true, shown: 'medium' },
      { head: 'Given up', cell: ({ failed }) => number(failed), isNumber: true },
    ],
    rows,
    idOf: ({ id }) => id,
  })
}

function noAlert(): Node {
  return empty('There are no alerts.', html`Make one by <code>./footfall alerts</code> or <code>POST /api/v1/alerts</code>.`)
}

const TONES: Record<AlertDelivery['status'], Tone> = { pending: 'accent', delivered: 'good', failed: 'bad', dropped: 'neutral' }

function deliveriesPanel({ alerts, deliveries, nowMs }: StockPage): Node {
  const { alertId, list } = deliveries!
  const name = alerts && dataOf(alerts)?.find(({ id }) => id === alertId)?.name
  return panel(
    `Deliveries of ${name ?? alertId}`,
    partOf(list, ({ data }) =>
      data.length === 0
        ? empty('Nothing has crossed this alert.')
        : table<AlertDelivery>({
            caption: 'Deliveries, newest first',
            columns: [
              { head: 'Crossed', cell: ({ crossed_at }) => ago(crossed_at, nowMs), isHead: true },
              {
                head: 'State',
                cell: ({ status, error }) => [
                  badge(status, TONES[status]),
                  error !== null && html`<br /><span class="quiet">${error}</span>`,
                ],
              },
              { head: 'Attempts', cell: ({ attempts }) => number(attempts), isNumber: true, shown: 'medium' },
              { head: 'Next', cell: ({ next_attempt_at }) => instant(next_attempt_at), shown: 'wide' },
              { head: 'Change', cell: (delivery) => replayForm(alertId, delivery) },
            ],
            rows: data,
            idOf: ({ delivery_id }) => delivery_id,
          }),
    ),
  )
}

function replayForm(alertId: string, { delivery_id, status }: AlertDelivery): Node {
  if (status === 'pending' || status === 'dropped') return dash()
  return actionForm(
    'replay',
    [
      { kind: 'hidden', name: 'alert_id', value: alertId },
      { kind: 'hidden', name: 'delivery_id', value: delivery_id },
    ],
    'Send again',
  )
}
