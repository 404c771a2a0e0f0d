/**
 * Stands for bytes that the encoding does not have. It is half a surrogate pair, which no decoded text has; U+FFFD itself may be in a
 * correct text.
 */
export const WRONG_BYTES = '\uDFFF'
const REPLACEMENT = '\uFFFD'
/** U+FFFD in UTF-8. Its first byte never continues another character, so it stands for itself wherever it occurs. */
const WRITTEN = Buffer.from(REPLACEMENT)
const BYTE_ORDER_MARK = '\uFEFF'

type Decode = (chunk: Uint8Array, isLast: boolean) => string
const NO_BYTES = new Uint8Array()

/**
 * A decoder for one text. It skips a byte order mark, and gives WRONG_BYTES for bytes that the encoding does not have.
 * @returns decodes the next chunk; without a chunk, what is left at the end of the text
 */
export function createDecoder(encoding: string): (chunk?: Uint8Array) => string {
  const decoder = new TextDecoder(encoding, { ignoreBOM: true })
  const decode: Decode = (chunk, isLast) => decoder.decode(chunk, { stream: !isLast }).replaceAll(REPLACEMENT, WRONG_BYTES)
  const next = withoutMark(decoder.encoding === 'utf-8' ? keepingWritten(decode) : decode)
  return (chunk) => next(chunk ?? NO_BYTES, chunk === undefined)
}

/** A text for people, with U+FFFD in the place of bytes that the encoding does not have. */
export function shown(text: string): string {
  return text.replaceAll(WRONG_BYTES, REPLACEMENT)
}

/** Keeps each U+FFFD that the text of UTF-8 has. */
function keepingWritten(decode: Decode): Decode {
  let cut = Buffer.alloc(0)
  return (chunk, isLast) => {
    const bytes = cut.length > 0 ? Buffer.concat([cut, chunk]) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let text = ''
    let from = 0
    for (let at = bytes.indexOf(WRITTEN); at !== -1; at = bytes.indexOf(WRITTEN, from)) {
      text += decode(bytes.subarray(from, at), true) + REPLACEMENT
      from = at + WRITTEN.length
    }
    const end = bytes.length - (isLast ? 0 : startOfWritten(bytes.subarray(from)))
    cut = Buffer.from(bytes.subarray(end))
    return text + decode(bytes.subarray(from, end), isLast)
  }
}

/** How many bytes at the end of a chunk may be the start of a U+FFFD. */
function startOfWritten(bytes: Buffer): number {
  return [2, 1].find((length) => bytes.length >= length && bytes.subarray(-length).equals(WRITTEN.subarray(0, length))) ?? 0
}

function withoutMark(decode: Decode): Decode {
  let isAtStart = true
  return (chunk, isLast) => {
    const text = decode(chunk, isLast)
    const hasMark = isAtStart && text.startsWith(BYTE_ORDER_MARK)
    isAtStart &&= text === ''
    return hasMark ? text.slice(1) : text
  }
}
