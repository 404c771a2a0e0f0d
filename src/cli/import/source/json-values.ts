import { jsonRowOf } from './json-record.ts'
import { valueEnd } from './json-value.ts'
import { type BrokenRow, isBroken, RECORD_CHARACTERS_MAX, type Row } from './row.ts'
import { createDecoder } from './text-decoder.ts'

type Rows = (Row | BrokenRow)[]

/** What may stand between values: the brackets and commas of arrays, and the marks of a JSON text sequence. */
const VALUE_START = /[^\s,\]}[\p{Cc}\uFEFF]/gu
/** More than the start of an object with its first key has. */
const START_CHARACTERS_MAX = 1_024

/**
 * Reads the objects of a JSON array, or objects that follow each other, over any number of lines. Memory is bounded by the longest
 * record. A broken record ends where the next one seems to begin: at an object on a line of its own with the same indent as the
 * first one, or at an object with the first one's first key. An array that is not closed ends with a broken record.
 */
export async function* jsonValueRows(chunks: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<Rows> {
  const decode = createDecoder(encoding)
  const reader = new ValueReader()
  for await (const chunk of chunks) yield reader.read(decode(chunk), false)
  yield reader.read(decode(), true)
  yield reader.end()
}

/** Reads the values of texts that follow each other. */
class ValueReader {
  #text = ''
  /** The number of the line at `#lineAt`. */
  #line = 1
  #lineAt = 0
  /** Where another record starts, by the look of the first one. */
  #nextStart: RegExp | undefined
  /** Whether a broken record is reported and its end is still to be found. */
  #isSeeking = false
  /** Whether the last bracket between two values opens an array. */
  #isOpen = false
  #isLastBroken = false

  /** What is wrong with the end of the text. A broken last record may have the end of the array. */
  end(): BrokenRow[] {
    if (!this.#isOpen || this.#isLastBroken) return []
    return [{ line: this.#line, reason: 'the JSON array is not closed, so the file seems to be cut off here', text: '' }]
  }

  read(text: string, isLast: boolean): Rows {
    this.#text += text
    const rows: Rows = []
    let at = 0
    for (let next: number | undefined = 0; next !== undefined && at < this.#text.length;) {
      next = this.#isSeeking ? this.#resume(at) : this.#value(at, isLast, rows)
      at = next ?? at
    }
    // The start of a record may be cut by the end of the text.
    const kept = this.#isSeeking ? Math.max(at, this.#text.length - START_CHARACTERS_MAX) : at
    this.#lineOf(kept)
    this.#text = this.#text.slice(kept)
    this.#lineAt = 0
    return rows
  }

  /** Reads a value. @returns where to go on; undefined when the value needs text that is not read yet. */
  #value(from: number, isLast: boolean, rows: Rows): number | undefined {
    const start = indexOf(VALUE_START, this.#text, from)
    const bracket = this.#text.slice(from, start).match(/[[\]]/g)?.at(-1)
    if (bracket !== undefined) this.#isOpen = bracket === '['
    // The indent before the first value shows how the others start.
    if (start === undefined)
      return this.#nextStart === undefined && this.#text.length < START_CHARACTERS_MAX ? undefined : this.#text.length
    const found = valueEnd(this.#text, start, RECORD_CHARACTERS_MAX)
    const mayGrow = !isLast && this.#text.length - start <= RECORD_CHARACTERS_MAX
    if (found === 'open' && mayGrow) return undefined
    this.#nextStart ??= nextStartOf(this.#text, start)
    const end = typeof found === 'object' ? found.end : indexOf(this.#nextStart, this.#text, start + 1)
    if (end === undefined && mayGrow) return undefined
    const text = this.#text.slice(start, end)
    const number = this.#lineOf(start)
    const row = jsonRowOf({ number, text: typeof found === 'object' ? text : text.replace(/[\s,]+$/, '') })
    this.#isLastBroken = isBroken(row)
    rows.push(row)
    this.#isSeeking = end === undefined
    return end ?? Math.max(start + 1, this.#text.length - START_CHARACTERS_MAX)
  }

  #resume(from: number): number | undefined {
    const start = indexOf(this.#nextStart!, this.#text, from)
    this.#isSeeking = start === undefined
    return start
  }

  /** The line of a place at or after the last one asked for. */
  #lineOf(at: number): number {
    for (let end = this.#text.indexOf('\n', this.#lineAt); end !== -1 && end < at; end = this.#text.indexOf('\n', this.#lineAt)) {
      this.#line++
      this.#lineAt = end + 1
    }
    return this.#line
  }
}

/** Finds objects that start as the value at `at` does. */
function nextStartOf(text: string, at: number): RegExp {
  const indent = /(?:^|[\r\n])([ \t]*)$/.exec(text.slice(0, at))?.[1]
  const key = /^\{\s*"(?:[^"\\]|\\.)*"/.exec(text.slice(at, at + START_CHARACTERS_MAX))?.[0]
  const onOwnLine = indent === undefined ? [] : [`(?<=[\\r\\n]${indent})\\{`]
  // The objects inside of an object over several lines may have the same first key.
  const blanks = indent === undefined ? '\\s*' : '[ \\t]*'
  const onSameLine = key === undefined ? [] : [`(?<=[,}]${blanks})${escaped(key)}`]
  return new RegExp([...onOwnLine, ...onSameLine].join('|') || '(?!)', 'g')
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}

function indexOf(pattern: RegExp, text: string, from: number): number | undefined {
  pattern.lastIndex = from
  return pattern.exec(text)?.index
}
