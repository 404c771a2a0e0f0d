import type { ListedSearchQuery, SearchQueriesResponse, SearchQueryFilter } from '../../contract/search.ts'
import { filters, pager, tabs } from '../components/form.ts'
import { empty, FILL_SHOP, panel, partOf, viewHead } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { change, dash, instant, number, share } from '../components/value.ts'
import { addressOf } from '../template/address.ts'
import type { Answer } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'
import { productLink } from './hot-now.ts'

export interface SearchesPage {
  filter: SearchQueryFilter
  days: string
  cursor: string | undefined
  list: Answer<SearchQueriesResponse>
}

const LISTS: readonly (readonly [SearchQueryFilter, string])[] = [
  ['all', 'Top'],
  ['found_nothing', 'Found nothing'],
  ['no_click', 'No click'],
]
const DAYS = [
  ['1', '24 hours'],
  ['7', '7 days'],
  ['30', '30 days'],
  ['90', '90 days'],
] as const
const PRODUCTS_SHOWN = 3

const MEANINGS: Record<SearchQueryFilter, string> = {
  all: 'What shoppers search for, most frequent first',
  found_nothing: 'Searches that showed no product: what the shop lacks, or calls by another name',
  no_click: 'Searches that showed products of which none was clicked',
}

export function searchesView({ filter, days, cursor, list }: SearchesPage): Node {
  const query = { filter: filter === 'all' ? undefined : filter, days }
  return [
    viewHead('Searches', [
      tabs(
        'Lists',
        LISTS.map(([name, label]) => ({
          label,
          address: addressOf('/searches', { filter: name === 'all' ? undefined : name, days }),
          isCurrent: name === filter,
        })),
      ),
      filters('/searches', [
        ...(filter === 'all' ? [] : [{ kind: 'hidden' as const, name: 'filter', value: filter }]),
        { kind: 'select', name: 'days', label: 'Window', value: days, options: DAYS, unit: 'day' },
      ]),
    ]),
    panel(
      MEANINGS[filter],
      partOf(list, ({ data, meta }) => [
        data.length === 0 ? nothingSearched(filter) : queriesTable(filter, data),
        pager('/searches', { ...query, cursor }, meta.next_cursor),
      ]),
      { note: partOf(list, ({ meta }) => ['Since ', instant(meta.from)]) },
    ),
  ]
}

function queriesTable(filter: SearchQueryFilter, rows: readonly ListedSearchQuery[]): Node {
  return table<ListedSearchQuery>({
    caption: MEANINGS[filter],
    columns: [
      { head: 'Query', cell: ({ query }) => query, isHead: true },
      { head: 'Searches', cell: ({ searches }) => number(searches), isNumber: true },
      { head: 'Change', cell: (row) => change(row.change.searches), isNumber: true },
      { head: 'Found nothing', cell: ({ found_nothing }) => number(found_nothing), isNumber: true },
      { head: 'Clicks', cell: ({ clicks }) => number(clicks), isNumber: true, shown: 'medium' },
      { head: 'Clicks per search', cell: ({ click_through }) => share(click_through), isNumber: true, shown: 'medium' },
      ...(filter === 'all' ? [{ head: 'Most clicked', cell: productsOf, shown: 'wide' as const }] : []),
    ],
    rows,
    idOf: ({ query }) => query,
  })
}

function productsOf({ products }: ListedSearchQuery): Node {
  // The answer goes on with those that were shown, and never clicked.
  const clicked = products.filter(({ clicks }) => clicks > 0).slice(0, PRODUCTS_SHOWN)
  if (clicked.length === 0) return dash()
  return clicked.map(({ product_id, product }, index) => [index > 0 && ', ', productLink(product_id, product)])
}

function nothingSearched(filter: SearchQueryFilter): Node {
  if (filter === 'found_nothing')
    return empty('Every search of the window found something.', html`<a href="/searches">Show all searches</a>`)
  if (filter === 'no_click')
    return empty('Every search that found something led to a click.', html`<a href="/searches">Show all searches</a>`)
  return empty('No search was recorded in the window.', [html`Send searches to <code>POST /api/v1/search</code>. `, FILL_SHOP])
}
