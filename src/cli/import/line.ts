import { RECORD_CHARACTERS_MAX } from './row.ts'

export interface Line {
  /** From 1. */
  number: number
  text: string
}

/** The character for bytes that the encoding does not have. */
const REPLACEMENT = '\uFFFD'

/**
 * Splits bytes into lines, an array per chunk, because an await per line would cost more than all other work on it. A byte order
 * mark is skipped. A line that is too long is cut one character above the limit, so that it is rejected without being kept.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<Line[]> {
  const decoder = new TextDecoder(encoding)
  let number = 0
  let rest = ''
  for await (const chunk of chunks) {
    const texts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = texts.pop()!.slice(0, RECORD_CHARACTERS_MAX + 1)
    yield texts.map((text) => ({ number: ++number, text }))
  }
  rest += decoder.decode()
  if (rest !== '') yield [{ number: ++number, text: rest }]
}

/** Why a text is no record; undefined if it is one. Undecodable bytes are rejected, because different bytes would get the same id. */
export function problemOf(text: string): string | undefined {
  if (text.length > RECORD_CHARACTERS_MAX) return `is longer than ${RECORD_CHARACTERS_MAX} characters`
  if (text.includes(REPLACEMENT)) return 'has bytes that are not of its encoding (see --encoding)'
  return undefined
}

/** Removes the carriage return of a CRLF. */
export function withoutReturn(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}
