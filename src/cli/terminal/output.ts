import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { harmless, harmlessJson } from './harmless.ts'

/**
 * Everything that commands print goes through these functions, because it may contain text from outside: names, messages, the fields
 * of rejected events. So one line of text stays one line, and no text controls the terminal.
 */

/** Prints lines on stdout. */
export function print(...lines: readonly string[]): void {
  for (const line of lines) console.log(harmless(line))
}

/** Prints lines on stderr, where they do not mix with a result. */
export function printError(...lines: readonly string[]): void {
  for (const line of lines) console.error(harmless(line))
}

/** Prints a value as JSON. */
export function printJson(value: unknown): void {
  console.log(harmlessJson(value))
}

/** Prints rows, or named rows, as a table. */
export function printTable(rows: readonly object[] | Readonly<Record<string, object>>): void {
  let text = ''
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  new Console({ stdout }).table(rows)
  print(...text.trimEnd().split('\n'))
}

export interface Line {
  text: string
  style?: 'dim' | 'bold' | 'yellow'
}

/** A line as it is written to a terminal. */
export function painted({ text, style }: Line, stream: NodeJS.WriteStream): string {
  return style === undefined ? harmless(text) : styleText(style, harmless(text), { stream })
}

/** Prints lines with styles on stdout. */
export function printStyled(lines: readonly Line[]): void {
  for (const line of lines) console.log(painted(line, process.stdout))
}
