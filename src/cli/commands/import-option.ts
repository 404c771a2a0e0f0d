import { InvalidArgumentError } from 'commander'
import type { Format } from '../import/source/source-file.ts'
import { wholeNumber } from './whole-number.ts'

/** The values of options of import. Each function throws InvalidArgumentError for a value that cannot be. */

/** Adds the value of an option that may be given several times. */
export function listed(text: string, before: string[] = []): string[] {
  return [...before, text]
}

/** `a, b` as two names. */
export function namesOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (new Set(names).size < names.length) throw new InvalidArgumentError('A name appears twice.')
  return names
}

/** A number of decimals, or `auto`. */
export function priceDecimalsOf(text: string): number | 'auto' {
  return text === 'auto' ? text : wholeNumber(0, 6)(text)
}

/** JSON lines and other JSON are one format, because the content shows which it is. */
export function formatOf(text: string): Format {
  if (text === 'csv') return 'csv'
  if (text === 'json' || text === 'jsonl') return 'json'
  throw new InvalidArgumentError('It is csv, json or jsonl.')
}

/** One character; `tab` and `\t` are a tab. */
export function delimiterOf(text: string): string {
  const delimiter = text === 'tab' || text === '\\t' ? '\t' : text
  if (delimiter.length === 1 && !'"\r\n'.includes(delimiter)) return delimiter
  throw new InvalidArgumentError('It is one character, or "tab".')
}

/** The name of an encoding as in the WHATWG Encoding Standard. */
export function encodingOf(text: string): string {
  try {
    return new TextDecoder(text).encoding
  } catch {
    throw new InvalidArgumentError('This encoding is unknown.')
  }
}
