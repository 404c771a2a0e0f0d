import { headerState, type HeaderState } from './header-state.ts'
import { html, type Node, textOf } from './html.ts'

/** What stands around a view. */
export interface Frame {
  title: string
  /** The views that the caller may open; empty on the page for signing in. */
  views: readonly { path: string; label: string; isCurrent: boolean }[]
  /** Whether the caller may search for products. */
  canSearch: boolean
  state: HeaderState
  /** Whether the view asks again every 2 s. */
  isLive: boolean
  /** Addresses of styles and scripts. */
  assets: { styles: readonly string[]; scripts: readonly string[] }
}

/** No expression of an attribute is evaluated, and no style is made by htmx, so that the policy of the page needs no exception. */
const HTMX_CONFIG = 'includeIndicatorCSS:false, history:"reload", defaultSwap:"innerMorph", implicitInheritance:false'

const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#3451c7"/><path d="M3 11.5 6 7l3 2.5L13 4" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>',
)}`

/** A whole document. */
export function wholePage(frame: Frame, view: Node): string {
  return `<!doctype html>${textOf(html`
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="htmx-config" content=${HTMX_CONFIG} />
        <title>${frame.title} · Footfall</title>
        <link rel="icon" href=${ICON} />
        ${frame.assets.styles.map((address) => html`<link rel="stylesheet" href=${address} />`)}
        ${frame.assets.scripts.map((address) => html`<script defer src=${address}></script>`)}
      </head>
      <body>
        <a class="skip" href="#view">Skip to content</a>
        ${headerOf(frame)}
        <main id="view" tabindex="-1" data-live=${frame.isLive ? '' : undefined}>${view}</main>
      </body>
    </html>
  `)}`
}

/** A document that asks for an address at once. */
export function askAgainPage(address: string): string {
  return `<!doctype html>${textOf(html`
    <html lang="en">
      <head>
        <meta http-equiv="refresh" content=${`0;url=${address}`} />
        <title>Footfall</title>
      </head>
      <body>
        <a href=${address}>Go on</a>
      </body>
    </html>
  `)}`
}

/** The parts of a document that change with an update: the view and the state in the header. htmx puts each in its place. */
export function changedParts(frame: Frame, view: Node): string {
  return textOf(html`
    <title>${frame.title} · Footfall</title>
    <hx-partial hx-target="#view" hx-swap="innerMorph">${view}</hx-partial>
    <hx-partial hx-target="#state" hx-swap="innerMorph">${headerState(frame.state)}</hx-partial>
  `)
}

function headerOf({ views, canSearch, state, isLive }: Frame): Node {
  return html`<header class="top">
    <div class="bar">
      <a class="brand" href="/">Footfall</a>
      ${views.length > 0 && html`<button type="button" class="menu" popovertarget="views">Menu</button>`}
      ${
        canSearch &&
        html`<form role="search" action="/products" class="search">
          <input
            type="search"
            name="query"
            id="search"
            aria-label="Search products"
            aria-keyshortcuts="/"
            placeholder="Search products"
            autocomplete="off"
          /><kbd aria-hidden="true">/</kbd>
        </form>`
      }
      ${isLive && liveControl()}
      <div id="state" class="state">${headerState(state)}</div>
    </div>
    ${
      views.length > 0 &&
      html`<nav id="views" popover aria-label="Views">
        ${views.map(
          ({ path, label, isCurrent }) => html`<a href=${path} aria-current=${isCurrent ? 'page' : undefined}>${label}</a>`,
        )}
      </nav>`
    }
  </header>`
}

/** Shown by the script, because without it nothing updates. The sentence is announced when it changes. */
function liveControl(): Node {
  return html`<div class="live" id="live" hidden>
    <button type="button" id="pause">Pause</button>
    <span id="last-answer" class="quiet" aria-hidden="true"></span>
    <span id="live-status" class="hidden" role="status"></span>
  </div>`
}
