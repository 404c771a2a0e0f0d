import { type Mode, MODES, type PopularProduct, type PopularResponse } from '../../contract/popular-list.ts'
import { filters, pager } from '../components/form.ts'
import { columns, empty, FILL_SHOP, panel, partOf, viewHead } from '../components/panel.ts'
import { sparkline } from '../components/sparkline.ts'
import { table, type Column } from '../components/table.ts'
import { dash, instant, number, rankChange } from '../components/value.ts'
import { addressOf, productAddress, type QueryValues } from '../template/address.ts'
import type { Answer } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'

/** The length of the lists with which ranks are compared; the most that the API answers at once. */
export const RANKS_MAX = 100

export interface HotNow {
  query: QueryValues & { mode: Mode; time_window_days?: string; category_ids?: string; as_of?: string; cursor?: string }
  list: Answer<PopularResponse>
  /** How many products are on the pages before. */
  firstRank: number
  /** Ranks in the same list an hour and a day before; undefined when they are not known. */
  hourAgo: ReadonlyMap<string, number> | undefined
  dayAgo: ReadonlyMap<string, number> | undefined
  /** Events of each hour of the last day, by product. */
  series: ReadonlyMap<string, readonly number[]> | undefined
  /** Queries that found nothing; undefined when the caller may not read them. */
  lostSearches: readonly { query: string; found_nothing: number }[] | undefined
}

/** Counters add up several event types. */
const VIEWS = html`<abbr title="Views, also those that bounced">Views</abbr>`
const CARTS = html`<abbr title="Times that it was put in a cart, or removed from one">Carts</abbr>`

/** What a mode is called on the page. */
export const MODE_NAMES: Readonly<Record<Mode, string>> = {
  trending: 'Trending',
  most_viewed: 'Most viewed',
  most_carted: 'Most put in carts',
  most_ordered: 'Most ordered',
  most_searched: 'Most searched',
  overall: 'Overall',
  rising: 'Rising',
}

const WINDOWS = [
  ['', 'All time'],
  ['1', '24 hours'],
  ['7', '7 days'],
  ['30', '30 days'],
  ['90', '90 days'],
] as const

type Row = PopularProduct

export function hotNowView(hot: HotNow): Node {
  const { query, list, lostSearches } = hot
  const main = panel(
    `${MODE_NAMES[query.mode]} products`,
    partOf(list, ({ data, meta }) => [
      data.length === 0 ? nothingHot(query, meta) : table({ ...tableOf(hot), rows: data, idOf: ({ product_id }) => product_id }),
      pager('/', { ...query, from: hot.firstRank + data.length }, meta.next_cursor),
    ]),
    {
      note:
        query.as_of === undefined
          ? 'Rank against an hour and a day ago'
          : ['As of ', partOf(list, ({ meta }) => instant(meta.as_of))],
    },
  )
  return [
    viewHead('Hot now', filtersOf(query)),
    lostSearches === undefined ? main : columns(main, lostSearchesPanel(lostSearches)),
  ]
}

function filtersOf({ mode, time_window_days, category_ids, as_of }: HotNow['query']): Node {
  return filters('/', [
    { kind: 'select', name: 'mode', label: 'Mode', value: mode, options: Object.entries(MODE_NAMES) },
    { kind: 'select', name: 'time_window_days', label: 'Window', value: time_window_days, options: WINDOWS, unit: 'day' },
    { kind: 'text', name: 'category_ids', label: 'Category', value: category_ids, placeholder: 'All' },
    { kind: 'instant', name: 'as_of', label: 'As of', value: as_of },
  ])
}

/** A product that leads to its view. */
export function productLink(productId: string, product?: { name: string } | null): Node {
  return html`<a href=${productAddress(productId)}>${product?.name ?? productId}</a>`
}

function tableOf({ firstRank, hourAgo, dayAgo, series, query }: HotNow): { caption: string; columns: Column<Row>[] } {
  const changeAgainst = (ranks: ReadonlyMap<string, number> | undefined) => (row: Row, index: number) =>
    ranks === undefined ? dash() : rankChange(firstRank + index, ranks.get(row.product_id), RANKS_MAX)
  const count = (head: Node, field: keyof PopularProduct, shown?: 'medium' | 'wide'): Column<Row> => ({
    head,
    cell: (row) => number(row[field] as number),
    isNumber: true,
    ...(shown !== undefined && { shown }),
  })
  return {
    caption: `${MODE_NAMES[query.mode]} products, best first`,
    columns: [
      { head: 'Rank', cell: (_row, index) => number(firstRank + index), isNumber: true },
      { head: '1 h', cell: changeAgainst(hourAgo), isNumber: true },
      { head: '24 h', cell: changeAgainst(dayAgo), isNumber: true, shown: 'medium' },
      { head: 'Product', cell: (row) => productLink(row.product_id, row.product), isHead: true },
      { head: 'Last 24 hours', cell: (row) => sparklineOf(row, series), shown: 'medium' },
      { head: orderName(query.mode), cell: (row) => orderValue(query.mode, row), isNumber: true },
      ...(query.mode === 'most_viewed' ? [] : [count(VIEWS, 'view_count', 'medium')]),
      ...(query.mode === 'most_carted' ? [] : [count(CARTS, 'cart_count', 'wide')]),
      ...(query.mode === 'most_ordered' ? [] : [count('Orders', 'purchase_count', 'medium')]),
      count('Reviews', 'review_count', 'wide'),
      ...(query.mode === 'overall'
        ? []
        : [{ head: 'Score', cell: (row: Row) => number(row.score, 1), isNumber: true, shown: 'wide' as const }]),
    ],
  }
}

function sparklineOf({ product_id, product }: Row, series: HotNow['series']): Node {
  const counts = series?.get(product_id)
  return counts === undefined
    ? dash()
    : sparkline(counts, `Events of ${product?.name ?? product_id} in each of the last 24 hours`)
}

function orderName(mode: Mode): Node {
  const names: Record<Mode, Node> = {
    ...{ trending: 'Trending', most_viewed: VIEWS, most_carted: CARTS, most_ordered: 'Orders' },
    ...{ most_searched: 'Search clicks', overall: 'Score', rising: 'Rising' },
  }
  return names[mode]
}

/** The number by which a mode orders. */
function orderValue(mode: Mode, row: Row): Node {
  if (mode === 'rising') return number(row.rising_score, 2)
  const field = MODES[mode].split(',')[0] as 'trending_score' | 'score' | 'view_count'
  return number(row[field], mode === 'trending' || mode === 'overall' ? 1 : 0)
}

function nothingHot({ mode, ...filters }: HotNow['query'], { generated_at }: PopularResponse['meta']): Node {
  const isFiltered = Object.values(filters).some((value) => value !== undefined)
  if (mode === 'rising' && !isFiltered)
    return empty(
      'No product gets more attention than the 7 days before predict.',
      html`Computed ${instant(generated_at)}, and again every 30 minutes. <a href="/?mode=trending">Trending</a> is live.`,
    )
  return isFiltered
    ? empty('No product has an event within these filters.', html`<a href=${addressOf('/', { mode })}>Show all</a>`)
    : empty('No event was counted yet.', FILL_SHOP)
}

function lostSearchesPanel(searches: NonNullable<HotNow['lostSearches']>): Node {
  const body =
    searches.length === 0
      ? empty('Every search of the last 7 days found something.')
      : table({
          caption: 'Searches of the last 7 days that found nothing',
          columns: [
            { head: 'Query', cell: ({ query }) => query, isHead: true },
            { head: 'Found nothing', cell: ({ found_nothing }) => number(found_nothing), isNumber: true },
          ],
          rows: searches,
          idOf: ({ query }) => `query-${query}`,
        })
  return panel('Searched without finding', body, { note: html`<a href="/searches?filter=found_nothing">All</a>` })
}
