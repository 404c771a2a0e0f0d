import type { FoundProduct, SearchProductsResponse } from '../../contract/product-search.ts'
import { filters, pager, tabs } from '../components/form.ts'
import { empty, FILL_SHOP, panel, partOf, viewHead } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { ago, dash, money, number } from '../components/value.ts'
import { addressOf } from '../template/address.ts'
import type { Answer } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'
import { productLink } from './hot-now.ts'
import { statusBadge, stock } from './product.ts'
import { sellerLink } from './sellers.ts'

export interface ProductsPage {
  query: Readonly<Record<string, string>>
  list: Answer<SearchProductsResponse>
  nowMs: number
}

/** Lists that a merchandiser asks for most. */
const LISTS = [
  ['All', {}],
  ['Never seen', { seen: 'false' }],
  ['Hidden', { status: 'hidden' }],
] as const

export function productsView({ query, list, nowMs }: ProductsPage): Node {
  return [
    viewHead('Products', listTabs(query)),
    filtersOf(query),
    panel(
      listName(query),
      partOf(list, ({ data, meta }) => [
        data.length === 0 ? nothingFound(query) : productsTable(data, nowMs),
        pager('/products', query, meta.next_cursor),
      ]),
      { note: partOf(list, ({ meta }) => (meta.search === 'filling' ? 'The search does not know all products yet' : null)) },
    ),
  ]
}

function currentList({ seen, status }: ProductsPage['query']): (typeof LISTS)[number] | undefined {
  return LISTS.find(
    ([, list]) => (list as Record<string, string>)['seen'] === seen && (list as Record<string, string>)['status'] === status,
  )
}

function listName(query: ProductsPage['query']): string {
  const name = currentList(query)?.[0]
  return name === undefined || name === 'All' ? 'Products' : `${name} products`
}

function listTabs(query: ProductsPage['query']): Node {
  const { seen: _seen, status: _status, cursor: _cursor, ...filters } = query
  return tabs(
    'Lists',
    LISTS.map((list) => ({
      label: list[0],
      address: addressOf('/products', { ...filters, ...list[1] }),
      isCurrent: currentList(query) === list,
    })),
  )
}

function filtersOf(query: ProductsPage['query']): Node {
  const text = (name: string, label: string) => ({ kind: 'text' as const, name, label, value: query[name] })
  return filters('/products', [
    { kind: 'search', name: 'query', label: 'Name or id', value: query['query'] },
    text('category', 'Category'),
    text('brand', 'Brand'),
    text('seller_id', 'Seller'),
    {
      ...{ kind: 'select', name: 'status', label: 'Status', value: query['status'] },
      options: [
        ['', 'All'],
        ['active', 'Active'],
        ['hidden', 'Hidden'],
        ['deleted', 'Deleted'],
      ],
    },
    {
      ...{ kind: 'select', name: 'seen', label: 'Seen', value: query['seen'] },
      options: [
        ['', 'All'],
        ['true', 'With events'],
        ['false', 'Never seen'],
      ],
    },
  ])
}

function productsTable(rows: readonly FoundProduct[], nowMs: number): Node {
  return table({
    caption: 'Products of the catalog',
    columns: [
      { head: 'Product', cell: (row) => [productLink(row.product_id, row), ' ', statusBadge(row.status)], isHead: true },
      { head: 'Category', cell: ({ category }) => linked('category', category), shown: 'medium' },
      { head: 'Brand', cell: ({ brand }) => linked('brand', brand), shown: 'wide' },
      { head: 'Seller', cell: ({ seller_id }) => sellerLink(seller_id), shown: 'wide' },
      { head: 'Price', cell: ({ price, currency }) => money(price, currency), isNumber: true },
      { head: 'In stock', cell: ({ quantity }) => stock(quantity), isNumber: true, shown: 'medium' },
      { head: 'Score', cell: ({ interactions }) => number(interactions?.score, 1), isNumber: true },
      {
        head: 'Last event',
        cell: ({ interactions }) => ago(interactions?.last_interaction, nowMs),
        isNumber: true,
        shown: 'medium',
      },
    ],
    rows,
    idOf: ({ product_id }) => product_id,
  })
}

function linked(filter: 'category' | 'brand', value: string | undefined): Node {
  return value === undefined ? dash() : html`<a href=${addressOf('/products', { [filter]: value })}>${value}</a>`
}

function nothingFound({ cursor: _cursor, ...filters }: ProductsPage['query']): Node {
  return Object.keys(filters).length > 0
    ? empty('No product of the catalog is as you asked.', html`<a href="/products">Show all</a>`)
    : empty('The catalog is empty.', FILL_SHOP)
}
