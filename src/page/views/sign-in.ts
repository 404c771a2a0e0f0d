import { html, type Node } from '../template/html.ts'

export interface SignIn {
  /** Where the browser goes afterwards. */
  next: string | undefined
  /** Why the last try failed. */
  problem: string | undefined
}

/** A form that takes a key, or the token of a seller. It is sent in a body, because addresses end up in logs and histories. */
export function signInView({ next, problem }: SignIn): Node {
  return html`<section class="panel sign-in">
    <div class="panel-head"><h1>Sign in</h1></div>
    <form method="post" action="/session">
      ${problem !== undefined && html`<p class="notice bad" role="alert">${problem}</p>`}
      <label class="field">
        <span>Key or seller token</span>
        <input
          type="password"
          name="key"
          id="key"
          required
          autocomplete="current-password"
          spellcheck="false"
          autofocus
          aria-describedby="key-hint"
        />
      </label>
      ${next !== undefined && html`<input type="hidden" name="next" value=${next} />`}
      <small id="key-hint" class="quiet">An operator makes keys: <code>./footfall key create NAME --scope read</code></small>
      <button type="submit" class="primary">Sign in</button>
    </form>
  </section>`
}
