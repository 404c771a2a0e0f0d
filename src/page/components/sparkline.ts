import { html, type Node } from '../template/html.ts'

const WIDTH = 96
const HEIGHT = 24
const MARGIN = 2

/** Counts as a small line. Its last point is the running hour or day: a dot at the end of a dotted line. */
export function sparkline(counts: readonly number[], label: string): Node {
  const max = Math.max(...counts, 1)
  const stepX = counts.length > 1 ? (WIDTH - 2 * MARGIN) / (counts.length - 1) : 0
  const points = counts.map((count, index) => ({
    x: round(MARGIN + index * stepX),
    y: round(HEIGHT - MARGIN - (count / max) * (HEIGHT - 2 * MARGIN)),
  }))
  const line = points.slice(0, -1)
  const last = points.at(-1)
  const path = line.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join('')
  return html`<svg
    class="spark"
    role="img"
    aria-label=${label}
    viewBox=${`0 0 ${WIDTH} ${HEIGHT}`}
    width=${WIDTH}
    height=${HEIGHT}
  >
    ${line.length > 1 && html`<path class="area" d=${`${path}L${line.at(-1)!.x} ${HEIGHT - MARGIN}L${line[0]!.x} ${HEIGHT - MARGIN}Z`} />`}
    ${line.length > 1 && html`<path class="line" d=${path} />`}
    ${last !== undefined && line.length > 0 && html`<path class="running" d=${`M${line.at(-1)!.x} ${line.at(-1)!.y}L${last.x} ${last.y}`} />`}
    ${last !== undefined && html`<circle cx=${last.x} cy=${last.y} r="1.6" />`}
  </svg>`
}

/** A share of 1 as a bar; one below 0 in another colour. */
export function bar(part: number, label: string): Node {
  const width = round(Math.min(1, Math.abs(part)) * 100)
  return html`<svg class="bar-chart" role="img" aria-label=${label} viewBox="0 0 100 6" preserveAspectRatio="none">
    <rect class="rest" width="100" height="6" rx="1" />
    <rect class=${part < 0 ? 'part below' : 'part'} width=${width} height="6" rx="1" />
  </svg>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
