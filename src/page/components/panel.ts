import type { ErrorBody } from '../../contract/error.ts'
import { type Answer, isProblem } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'

/** A part of a view with a heading. */
export function panel(title: string, body: Node, { note, id }: { note?: Node; id?: string } = {}): Node {
  return html`<section class="panel" id=${id}>
    <div class="panel-head">
      <h2>${title}</h2>
      ${note !== undefined && html`<div class="quiet">${note}</div>`}
    </div>
    ${body}
  </section>`
}

/** The heading of a view, with what it needs beside it. */
export function viewHead(title: Node, aside?: Node): Node {
  return html`<div class="view-head">
    <h1>${title}</h1>
    ${aside !== undefined && html`<div class="aside">${aside}</div>`}
  </div>`
}

/** What an answer shows, or its problem in the place of it: the rest of the page stands. */
export function partOf<Body extends object>(answer: Answer<Body>, show: (body: Body) => Node): Node {
  return isProblem(answer) ? problem(answer) : show(answer)
}

/** The same for what stands beside: the problem is said once. */
export function noteOf<Body extends object>(answer: Answer<Body>, show: (body: Body) => Node): Node {
  return isProblem(answer) ? null : show(answer)
}

/** Why a part cannot be shown. */
export function problem({ error }: ErrorBody): Node {
  return html`<p class="problem">${sentence(error.message)}</p>`
}

function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1)
  return /[.!?]$/.test(text) ? text : `${text}.`
}

/** A part without rows: what that means, and what to do next. */
export function empty(meaning: Node, next?: Node): Node {
  return html`<div class="empty">
    <p>${meaning}</p>
    ${next !== undefined && html`<p class="quiet">${next}</p>`}
  </div>`
}

/** What fills an empty shop. */
export const FILL_SHOP: Node = html`Run <code>./footfall demo</code> for a small shop, or <code>./footfall import</code> for files
  of your own.`

/** A number with a name, in large type. */
export function card(name: string, value: Node, note?: Node): Node {
  return html`<div class="card">
    <dt>${name}</dt>
    <dd><span class="large">${value}</span>${note !== undefined && html`<span class="quiet">${note}</span>`}</dd>
  </div>`
}

export function cards(list: readonly Node[]): Node {
  return html`<dl class="cards">${list}</dl>`
}

/** Names with their values. */
export function facts(list: readonly (readonly [name: string, value: Node])[]): Node {
  return html`<dl class="facts">
    ${list.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

export type Tone = 'neutral' | 'good' | 'warn' | 'bad' | 'accent'

export function badge(text: Node, tone: Tone = 'neutral'): Node {
  return html`<span class=${`badge ${tone}`}>${text}</span>`
}

/** Parts beside each other where the window is wide: the first one is twice as wide. */
export function columns(main: Node, aside: Node): Node {
  return html`<div class="columns">
    <div class="column">${main}</div>
    <div class="column">${aside}</div>
  </div>`
}

/** Parts of the same width beside each other, as many as fit. */
export function grid(parts: Node): Node {
  return html`<div class="grid">${parts}</div>`
}

/** How far something is. */
export function progress(done: number, total: number, label: string): Node {
  return html`<progress value=${done} max=${Math.max(total, 1)} aria-label=${label}></progress>`
}
