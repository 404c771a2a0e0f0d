import { RECORD_CHARACTERS_MAX } from './row.ts'

export interface Line {
  /** From 1. */
  number: number
  text: string
}

/** Bytes that are not of the encoding are read as this. */
const REPLACEMENT = '\uFFFD'

/**
 * Splits bytes into lines, an array per chunk: an await per line would cost more than the rest of reading it. A byte order
 * mark is skipped; a line that is too long is cut one character above the limit, to be refused and not to be kept.
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

/** Why no record can be read from this text, if so. Different bytes would become the same ids if they were let through. */
export function problemOf(text: string): string | undefined {
  if (text.length > RECORD_CHARACTERS_MAX) return `is longer than ${RECORD_CHARACTERS_MAX} characters`
  if (text.includes(REPLACEMENT)) return 'has bytes that are not of its encoding (see --encoding)'
  return undefined
}

/** A carriage return before the line's end belongs to the end. */
export function withoutReturn(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}
