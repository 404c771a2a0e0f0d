import htm from 'htm'
import { type ComponentChild, Fragment, h, type VNode } from 'preact'
import { renderToString } from 'preact-render-to-string'

/** What can stand between two tags: an element, text, a number, a list of these, or nothing. Text is escaped. */
export type Node = ComponentChild | Node[]

/** An element, written as HTML: html`<p class=${name}>${text}</p>`. Attributes that are false, null or undefined are left out. */
export const html = (htm as unknown as { bind: (make: typeof h) => unknown }).bind(h) as (
  strings: TemplateStringsArray,
  ...values: unknown[]
) => VNode

/** What is sent to a browser. */
export function textOf(node: Node): string {
  return renderToString(h(Fragment, null, node as ComponentChild))
}
