import { hash, timingSafeEqual } from 'node:crypto'

/** Whether a text is one of the tokens. Compares digests, which have one length, in constant time. */
export function isOperatorToken(text: string, tokens: readonly string[]): boolean {
  const given = digestOf(text)
  // All are compared, so that the time does not reveal which one matched.
  return tokens.map((token) => timingSafeEqual(digestOf(token), given)).includes(true)
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
