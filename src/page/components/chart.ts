import { html, type Node } from '../template/html.ts'
import { day, instant, money, number } from './value.ts'
import { table } from './table.ts'

export interface Series {
  label: string
  values: readonly number[]
}

export interface ChartOf {
  /** Unique in its view. */
  id: string
  caption: string
  step: 'hour' | 'day'
  /** The beginning of each hour or day. */
  times: readonly string[]
  series: readonly Series[]
  /** Amounts of money are in minor units of it. */
  currency?: string
}

/** Numbers over time: a table for all readers, which page.js draws as a chart where there is a script. */
export function chart({ id, caption, step, times, series, currency }: ChartOf): Node {
  const rows = times.map((time, index) => ({ time, index }))
  return html`<figure class="chart" data-chart=${id} data-currency=${currency} aria-label=${caption}>
    <div class="plot" id=${`plot-${id}`} hx-morph-skip aria-hidden="true"></div>
    <details id=${`numbers-${id}`}>
      <summary>Numbers of this chart</summary>
      ${table({
        caption,
        columns: [
          {
            head: step === 'day' ? 'Day (UTC)' : 'Hour',
            cell: ({ time }) => (step === 'day' ? day(time) : instant(time)),
            isHead: true,
          },
          ...series.map(({ label, values }) => ({
            head: label,
            cell: ({ index }: { index: number }) => amountOf(values[index] ?? 0, currency),
            isNumber: true,
          })),
        ],
        rows,
      })}
    </details>
  </figure>`
}

function amountOf(value: number, currency: string | undefined): Node {
  return currency === undefined ? number(value) : money(value, currency)
}
