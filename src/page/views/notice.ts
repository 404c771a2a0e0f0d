import { html, type Node } from '../template/html.ts'

/** A view below a sentence that says why nothing was changed. */
export function withNotice(problem: string, body: Node): Node {
  return [html`<p class="notice bad" role="alert">${problem}</p>`, body]
}

/** What is shown in the place of a view. */
export function noView(title: string, message: string, next?: { address: string; label: string }): Node {
  return html`<section class="panel sign-in">
    <div class="panel-head"><h1>${title}</h1></div>
    <p>${message.charAt(0).toUpperCase() + message.slice(1)}.</p>
    ${next !== undefined && html`<p><a href=${next.address}>${next.label}</a></p>`}
  </section>`
}
