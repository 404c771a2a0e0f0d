import { RECORD_CHARACTERS_MAX } from './row.ts'
import { createDecoder, WRONG_BYTES } from './text-decoder.ts'

export interface Line {
  /** From 1. */
  number: number
  text: string
  /** How it ends; '' for a last line without an end. */
  end: '\n' | '\r\n' | '\r' | ''
}

/**
 * Splits bytes into lines, an array per chunk, because an await per line would cost more than all other work on it. A byte order
 * mark is skipped.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<Line[]> {
  const decode = createDecoder(encoding)
  const split = createSplitter()
  for await (const chunk of chunks) yield split(decode(chunk), false)
  yield split(decode(), true)
}

/** The lines of a whole text. */
export function linesIn(text: string): Line[] {
  return createSplitter()(text, true)
}

const HAS_WRONG_BYTES = 'has bytes that are not of its encoding (files of Windows programs often need --encoding windows-1252)'

/** Why a text is no record; undefined if it is one. Undecodable bytes are rejected, because different bytes would get the same id. */
export function problemOf(text: string): string | undefined {
  if (text.length > RECORD_CHARACTERS_MAX) return `is longer than ${RECORD_CHARACTERS_MAX} characters`
  if (text.includes(WRONG_BYTES)) return HAS_WRONG_BYTES
  return undefined
}

/** Splits texts that follow each other at LF, CRLF and CR. The text after the last line end waits for the next call. */
function createSplitter(): (text: string, isLast: boolean) => Line[] {
  let number = 0
  let rest = ''
  return (text, isLast) => {
    const lines: Line[] = []
    const add = (text: string, end: Line['end']) => void lines.push({ number: ++number, text, end })
    const pieces = (rest + text).split('\n')
    const tail = pieces.pop()!
    for (const piece of pieces) {
      const at = piece.indexOf('\r')
      if (at === -1) add(piece, '\n')
      else if (at === piece.length - 1) add(piece.slice(0, -1), '\r\n')
      else addMixed(piece, add)
    }
    rest = isLast ? '' : addReturns(tail, add)
    if (isLast) for (const piece of tail.match(/[^\r]+\r?|\r/g) ?? []) addLast(piece, add)
    return lines
  }
}

type Add = (text: string, end: Line['end']) => void

/** A text before a line feed, with carriage returns that end lines of their own. */
function addMixed(piece: string, add: Add): void {
  const parts = piece.split('\r')
  const last = parts.pop()!
  const beforeLast = last === '' ? parts.pop() : undefined
  for (const part of parts) add(part, '\r')
  if (beforeLast === undefined) add(last, '\n')
  else add(beforeLast, '\r\n')
}

/**
 * The lines of a text that end with a carriage return. @returns the text after them. A return at the end stays in it, because a line
 * feed may follow. A text that is too long is cut one character above the limit, so that it is rejected without being kept.
 */
function addReturns(tail: string, add: Add): string {
  const end = tail.endsWith('\r') ? '\r' : ''
  const parts = (end === '' ? tail : tail.slice(0, -1)).split('\r')
  const last = parts.pop()!
  for (const part of parts) add(part, '\r')
  return last.slice(0, RECORD_CHARACTERS_MAX + 1) + end
}

function addLast(piece: string, add: Add): void {
  if (piece.endsWith('\r')) add(piece.slice(0, -1), '\r')
  else add(piece, '')
}
