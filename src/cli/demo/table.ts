import type { Popularity } from '../../contract/popularity.ts'
import { harmless } from '../terminal/harmless.ts'
import type { Line } from '../terminal/output.ts'

/** The state to show. */
export interface View {
  /** Best first. */
  top: readonly Popularity[]
  /** Product → rank when the stream started, from 1. */
  startRanks: ReadonlyMap<string, number>
  /** The product that is always shown, even far down. */
  sleeperId: string
  tally: Tally
  story: string
}

export interface Tally {
  sent: number
  accepted: number
  duplicates: number
  rejected: number
}

const WIDTHS = { rank: 4, moved: 5, product: 20, score: 9, trending: 9, views: 7, purchases: 10 }
type Column = keyof typeof WIDTHS
const COLUMNS = Object.keys(WIDTHS) as Column[]
const LEFT: ReadonlySet<Column> = new Set(['moved', 'product'])
const HEADING: Record<Column, string> = {
  rank: 'rank',
  moved: '',
  product: 'product',
  score: 'score',
  trending: 'trending',
  views: 'views',
  purchases: 'purchases',
}

/** The list as lines: the best `rowsMax` products and the sleeper, then the numbers and the story. */
export function linesOf({ top, startRanks, sleeperId, tally, story }: View, rowsMax: number): Line[] {
  const rows = top
    .map((product, index) => ({ product, rank: index + 1, isSleeper: product.product_id === sleeperId }))
    .filter(({ rank, isSleeper }) => rank <= rowsMax || isSleeper)
  return [
    { text: lineOf(HEADING), style: 'dim' },
    ...rows.map(({ product, rank, isSleeper }): Line => {
      const text = lineOf(cellsOf(product, rank, movedText(startRanks.get(product.product_id), rank)))
      return isSleeper ? { text, style: 'yellow' } : { text }
    }),
    { text: '' },
    { text: `${tallyText(tally)}; ${trendingText(top)}` },
    { text: story, style: 'bold' },
  ]
}

/** The state in one line, for output that cannot be redrawn. */
export function plainLineOf({ top, startRanks, sleeperId, tally, story }: View): string {
  const best = top.slice(0, 3).map(({ product_id, score }) => `${product_id} ${score.toFixed(1)}`)
  const place = top.findIndex(({ product_id }) => product_id === sleeperId) + 1
  const sleeper = place > 0 ? `; ${sleeperId} is number ${place} ${movedText(startRanks.get(sleeperId), place)}`.trimEnd() : ''
  return `${tallyText(tally)}; top: ${best.join(', ') || 'nothing yet'}${sleeper}; ${trendingText(top)}; ${story}`
}

/** `1,204 sent, 1,204 accepted, 0 duplicates`, and the number of rejected events if there are any. */
export function tallyText({ sent, accepted, duplicates, rejected }: Tally): string {
  const number = (count: number) => count.toLocaleString('en')
  const text = `${number(sent)} sent, ${number(accepted)} accepted, ${number(duplicates)} duplicates`
  return rejected > 0 ? `${text}, ${number(rejected)} rejected` : text
}

/** `▲3` for three places up since the start, nothing for an unchanged rank, `new` for a product that was not in the list. */
export function movedText(startRank: number | undefined, rank: number): string {
  if (startRank === undefined) return 'new'
  if (startRank === rank) return ''
  return startRank > rank ? `▲${startRank - rank}` : `▼${rank - startRank}`
}

function trendingText(top: readonly Popularity[]): string {
  const first = top.reduce<Popularity | undefined>(
    (best, product) => (best === undefined || product.trending_score > best.trending_score ? product : best),
    undefined,
  )
  return `first in trending: ${first?.product_id ?? 'nothing yet'}`
}

function cellsOf(product: Popularity, rank: number, moved: string): Record<Column, string> {
  return {
    rank: String(rank),
    moved,
    product: harmless(product.product_id),
    score: product.score.toFixed(1),
    trending: product.trending_score.toFixed(1),
    views: String(product.view_count),
    purchases: String(product.purchase_count),
  }
}

/** Words are aligned left, numbers right. */
function lineOf(cells: Record<Column, string>): string {
  return COLUMNS.map((column) => {
    const text = cells[column].slice(0, WIDTHS[column])
    return LEFT.has(column) ? text.padEnd(WIDTHS[column]) : text.padStart(WIDTHS[column])
  }).join(' ')
}
