import type { SellerDashboardResponse } from '../../contract/seller-dashboard.ts'
import { DAY_MS } from '../../contract/fields/time.ts'
import { barsOf } from './bars.ts'
import { countText, numberedText } from '../terminal/count.ts'
import { harmless } from '../terminal/harmless.ts'
import type { Line } from '../terminal/output.ts'
import { cutTo, spacesTo, widthOf } from '../terminal/cells.ts'
import { moneyIn } from '../terminal/money.ts'

/** A longer chart would not fit on a screen, so several buckets share a line. */
const CHART_LINES_MAX = 60
const BAR_COLUMNS = { min: 4, max: 60 }
const NAME_COLUMNS_MIN = 10
const GAP = '  '

/** A dashboard as lines of a terminal with so many columns. */
export function linesOf({ data, meta }: SellerDashboardResponse, columns: number): Line[] {
  const { currency } = data.summary
  const money = currency === null ? countText : moneyIn(currency)
  return [
    { text: harmless(meta.seller_id), style: 'bold' },
    { text: `${meta.start} to ${meta.end} (${daysText(daysOf(meta))}, ${meta.time_zone})`, style: 'dim' },
    { text: '' },
    ...summaryLines(data.summary, money),
    { text: `▲▼ against the ${daysText(daysOf(meta))} before`, style: 'dim' },
    ...otherCurrencies(meta.currencies.filter((other) => other !== currency)),
    { text: '' },
    ...chartLines(data.charts, meta.granularity, money, columns),
    ...productLines(data.top_products, money, columns),
  ]
}

type Dashboard = SellerDashboardResponse['data']
type Meta = SellerDashboardResponse['meta']
type Money = (minorUnits: number) => string

function daysOf({ start, end }: Meta): number {
  return 1 + (Date.parse(end) - Date.parse(start)) / DAY_MS
}

const daysText = (days: number) => numberedText(days, 'day')

function summaryLines(summary: Dashboard['summary'], money: Money): Line[] {
  const { comparison, average_rating: rating } = summary
  const rows: [string, string, string][] = [
    ['Revenue', money(summary.total_revenue), changeText(comparison.revenue_change)],
    ['Orders', countText(summary.total_orders), changeText(comparison.orders_change)],
    ['Items sold', countText(summary.items_sold), changeText(comparison.items_sold_change)],
    ['Rating', rating === null ? 'none' : rating.toFixed(2), ''],
    ['Pending items', countText(summary.pending_items), ''],
    ['Pending refunds', countText(summary.pending_refunds), ''],
  ]
  return table(rows, [false, true, false])
}

/** `▲ 12.5 %`; nothing when the period before has no value. */
function changeText(change: number | null): string {
  if (change === null) return ''
  const text = `${Math.abs(change).toLocaleString('en', { maximumFractionDigits: 1 })} %`
  if (change === 0) return `= ${text}`
  return `${change > 0 ? '▲' : '▼'} ${text}`
}

function otherCurrencies(currencies: readonly string[]): Line[] {
  return currencies.length === 0
    ? []
    : [{ text: `Other currencies of this seller (--currency): ${currencies.join(', ')}`, style: 'dim' }]
}

function chartLines({ revenue, orders }: Dashboard['charts'], granularity: string, money: Money, columns: number): Line[] {
  if ([...revenue, ...orders].every(({ value }) => value === 0)) return [{ text: 'Nothing was sold on these days.' }]
  const size = Math.ceil(revenue.length / CHART_LINES_MAX)
  const [amounts, counts] = [merged(revenue, size), merged(orders, size)]
  const title = size === 1 ? granularity : `${size} ${granularity}s`
  const texts = [
    [title, 'revenue', 'orders'],
    ...amounts.map(({ date, value }, n) => [date, money(value), countText(counts[n]!.value)]),
  ]
  const free = columns - 1 - columnsOf(texts)
  const values = amounts.map(({ value }) => value)
  const bars = ['', ...barsOf(values, Math.min(BAR_COLUMNS.max, Math.max(BAR_COLUMNS.min, free)))]
  const rows = texts.map(([date, ...numbers], n) => [date!, bars[n]!, ...numbers])
  return withHead(table(rows, [false, false, true, true]))
}

/** Merges groups of `size` buckets, with the date of the first. */
function merged(points: Dashboard['charts']['revenue'], size: number): Dashboard['charts']['revenue'] {
  return Array.from({ length: Math.ceil(points.length / size) }, (_, n) => {
    const group = points.slice(n * size, (n + 1) * size)
    return { date: group[0]!.date, value: group.reduce((sum, { value }) => sum + value, 0) }
  })
}

function productLines(products: Dashboard['top_products'], money: Money, columns: number): Line[] {
  if (products.length === 0) return []
  const nameOf = ({ name, product_id: id }: (typeof products)[number]) => harmless(name === null ? id : `${name} (${id})`)
  const numbers = [['sold', 'revenue'], ...products.map(({ sold_count, revenue }) => [countText(sold_count), money(revenue)])]
  const nameColumns = Math.max(NAME_COLUMNS_MIN, columns - 1 - columnsOf(numbers))
  const names = ['best products', ...products.map((product) => cutTo(nameOf(product), nameColumns))]
  const rows = names.map((name, n) => [name, ...numbers[n]!])
  return [{ text: '' }, ...withHead(table(rows, [false, true, true]))]
}

function withHead([head, ...rest]: Line[]): Line[] {
  return [{ ...head!, style: 'dim' }, ...rest]
}

/** Words are aligned left, numbers right. */
function table(rows: readonly (readonly string[])[], isNumber: readonly boolean[]): Line[] {
  const widths = widthsOf(rows)
  return rows.map((row) => {
    const cells = row.map((text, n) => (isNumber[n] ? spacesTo(widths[n]!, text) + text : text + spacesTo(widths[n]!, text)))
    return { text: cells.join(GAP).trimEnd() }
  })
}

/** The width of a table, with a gap after each column. */
function columnsOf(rows: readonly (readonly string[])[]): number {
  return widthsOf(rows).reduce((sum, width) => sum + width + GAP.length, 0)
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return rows[0]!.map((_, cell) => Math.max(...rows.map((row) => widthOf(row[cell]!))))
}
