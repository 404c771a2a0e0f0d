import { html, type Node } from '../template/html.ts'

/** What a form did, by the word that the address has after it: only known words are shown. */
export function outcome(done: string | undefined, sentences: Readonly<Record<string, string>>): Node {
  const sentence = done !== undefined && Object.hasOwn(sentences, done) ? sentences[done] : undefined
  return sentence !== undefined && html`<p class="notice" role="status">${sentence}</p>`
}
