import { html, type Node } from '../template/html.ts'

/** In whole halves of a pixel. */
const SCALE = 2
const WIDTH = 192
const HEIGHT = 48
const MARGIN = 4

/** Counts as a small line. Its last point is the running hour or day: a dot at the end of a dotted line. */
export function sparkline(counts: readonly number[], label: string): Node {
  const max = Math.max(...counts, 1)
  const stepX = counts.length > 1 ? Math.floor((WIDTH - 2 * MARGIN) / (counts.length - 1)) : 0
  const points = counts.map((count, index) => ({
    x: MARGIN + index * stepX,
    y: HEIGHT - MARGIN - Math.round((count / max) * (HEIGHT - 2 * MARGIN)),
  }))
  const last = points.at(-1)
  const before = points.at(-2)
  const line = pathOf(points.slice(0, -1))
  return html`<svg
    class="spark"
    role="img"
    aria-label=${label}
    viewBox=${`0 0 ${WIDTH} ${HEIGHT}`}
    width=${WIDTH / SCALE}
    height=${HEIGHT / SCALE}
  >
    ${before !== undefined && html`<path class="area" d=${`${line}V${HEIGHT - MARGIN}H${MARGIN}`} /><path d=${line} />`}
    ${before !== undefined && last !== undefined && html`<path class="running" d=${pathOf([before, last])} />`}
    ${last !== undefined && html`<circle cx=${last.x} cy=${last.y} r="3" />`}
  </svg>`
}

/** Steps from point to point, because they are shorter than places, and a list has many of them. */
function pathOf(points: readonly { x: number; y: number }[]): string {
  const [first] = points
  if (first === undefined) return ''
  const steps = points.slice(1).map(({ x, y }, index) => `l${x - points[index]!.x} ${y - points[index]!.y}`)
  return `M${first.x} ${first.y}${steps.join('')}`.replaceAll(' -', '-')
}

/** A share of 1 as a bar; one below 0 in another colour. */
export function bar(part: number, label: string): Node {
  const width = Math.round(Math.min(1, Math.abs(part)) * 1_000) / 10
  return html`<svg class="bar-chart" role="img" aria-label=${label} viewBox="0 0 100 6" preserveAspectRatio="none">
    <rect class="rest" width="100" height="6" rx="1" />
    <rect class=${part < 0 ? 'part below' : 'part'} width=${width} height="6" rx="1" />
  </svg>`
}
