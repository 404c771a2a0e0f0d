import { createDecoder, WRONG_BYTES } from './text-decoder.ts'

/** The encoding of a text, by its name in the WHATWG Encoding Standard, with what speaks against it; or why it is unknown. */
export type FoundEncoding = { encoding: string; note?: string } | { problem: string }

const MARKS: readonly (readonly [string, readonly number[]])[] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
]
/** UTF-32 has the mark of UTF-16, and two zeros. */
const UTF_32 = [
  [0xff, 0xfe, 0, 0],
  [0, 0, 0xfe, 0xff],
]
/** Texts of most languages have a zero in every second byte of UTF-16 for line ends, digits and delimiters. */
const UTF_16_ZEROS_MIN = 0.2
/** A broken text may have some zeros. */
const ZEROS_MAX = 0.01
const FIRST_BEYOND_ASCII = 0x80
const EXCERPT_CHARACTERS = 40

/**
 * The encoding of a text that starts with these bytes. A byte order mark wins over the given encoding, because it is part of the
 * file. A text without a mark is UTF-8, or UTF-16 by its zeros. Any other encoding must be given, because a wrong one changes ids.
 */
export function encodingOf(start: Uint8Array, given: string | undefined): FoundEncoding {
  if (UTF_32.some((mark) => startsWith(start, mark))) {
    return { problem: 'is UTF-32: convert it with iconv -f UTF-32 -t UTF-8' }
  }
  const mark = MARKS.find(([, bytes]) => startsWith(start, bytes))
  if (mark !== undefined) return { encoding: mark[0] }
  if (given !== undefined)
    return isUtf8Beyond(start, given) ? { encoding: given, note: 'although it is valid UTF-8' } : { encoding: given }
  const utf16 = utf16Of(start)
  if (utf16 !== undefined) return { encoding: utf16 }
  if (start.filter((byte) => byte === 0).length > start.length * ZEROS_MAX)
    return { problem: 'is no text, because it has many zero bytes (--encoding utf-16le reads UTF-16 without a byte order mark)' }
  return isMostlyUtf8(start) ? { encoding: 'utf-8' } : { problem: notUtf8(start) }
}

function startsWith(bytes: Uint8Array, mark: readonly number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte)
}

function utf16Of(start: Uint8Array): string | undefined {
  const zerosAt = (parity: number) => start.filter((byte, at) => byte === 0 && at % 2 === parity).length
  const even = zerosAt(0)
  const odd = zerosAt(1)
  const needed = (start.length / 2) * UTF_16_ZEROS_MIN
  if (odd > needed && odd > even * 10) return 'utf-16le'
  return even > needed && even > odd * 10 ? 'utf-16be' : undefined
}

/** Whether a text that is given as another encoding is UTF-8 with characters beyond ASCII, which other encodings hardly ever are. */
function isUtf8Beyond(start: Uint8Array, given: string): boolean {
  if (given === 'utf-8' || start.every((byte) => byte < FIRST_BEYOND_ASCII)) return false
  return !createDecoder('utf-8')(start).includes(WRONG_BYTES)
}

/** Whether more characters beyond ASCII are UTF-8 than not. A few wrong bytes cost their records only. */
function isMostlyUtf8(start: Uint8Array): boolean {
  const text = createDecoder('utf-8')(start)
  const beyondAscii = text.match(/[^\0-\x7F]/gu) ?? []
  const wrong = beyondAscii.filter((character) => character === WRONG_BYTES).length
  return wrong === 0 || wrong < beyondAscii.length - wrong
}

/** The end of the sentence shows how the text would read, because its owner knows which of two readings is right. */
function notUtf8(start: Uint8Array): string {
  const before = createDecoder('utf-8')(start).split(WRONG_BYTES, 1)[0]!
  const at = new TextEncoder().encode(before).length
  const text = new TextDecoder('windows-1252').decode(
    start.subarray(Math.max(0, at - EXCERPT_CHARACTERS / 2), at + EXCERPT_CHARACTERS),
  )
  const excerpt = text.split(/[\r\n]+/).find((part) => /[^\0-\x7F]/.test(part)) ?? text
  return (
    `is not UTF-8: give its encoding. With --encoding windows-1252, the encoding of most Windows programs in Western Europe, ` +
    `a part of it reads ${JSON.stringify(excerpt.slice(0, EXCERPT_CHARACTERS))}; with --encoding utf-8 only the records with such bytes are refused`
  )
}
