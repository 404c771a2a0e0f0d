/** The cells of a record; or that a quote is still open at the end of the text; or why the text is no record. */
export type Split = { cells: string[] } | { open: true } | { reason: string }

export const OPEN = { open: true } as const

const ESCAPED_QUOTE = String.raw`\"`
/** A cell in quotes in which a backslash keeps the meaning of the next character from it. */
const ESCAPED_CELL = /"((?:[^"\\]|\\.)*)"/sy

/**
 * Splits a record. As in RFC 4180 a quote opens a cell only at its start; elsewhere it is a character. Blanks around a quoted cell
 * are no part of it. A record that is wrong by the RFC, and right with backslashes before its quotes, is read so: Spark and MySQL
 * write them.
 */
export function splitRecord(text: string, delimiter: string): Split {
  if (!text.includes('"')) return { cells: text.split(delimiter) }
  const split = splitQuoted(text, delimiter, quotedCell)
  if (!('reason' in split) || !text.includes(ESCAPED_QUOTE)) return split
  const escaped = splitQuoted(text, delimiter, escapedCell)
  return 'cells' in escaped ? escaped : split
}

function splitQuoted(text: string, delimiter: string, cellAt: typeof quotedCell): Split {
  const cells: string[] = []
  for (let at = 0; ; at += delimiter.length) {
    const quote = blanksEnd(text, at, delimiter)
    const quoted = text[quote] === '"' ? cellAt(text, quote) : undefined
    if (text[quote] === '"' && quoted === undefined) return OPEN
    const next = quoted === undefined ? -1 : blanksEnd(text, quoted.end, delimiter)
    if (quoted !== undefined && (next === text.length || text.startsWith(delimiter, next))) {
      cells.push(quoted.cell)
      at = next
    } else if (quoted !== undefined && quote === at) {
      return { reason: 'has text between a closing quote and the next cell' }
    } else {
      const end = text.indexOf(delimiter, at)
      cells.push(end === -1 ? text.slice(at) : text.slice(at, end))
      at = end === -1 ? text.length : end
    }
    if (at === text.length) return { cells }
  }
}

/** The first place from `at` on that has no blank. */
function blanksEnd(text: string, at: number, delimiter: string): number {
  let end = at
  while ((text[end] === ' ' || text[end] === '\t') && text[end] !== delimiter) end++
  return end
}

/** The cell whose opening quote is at `at`; `""` stands for a quote. Undefined when no quote closes it. */
function quotedCell(text: string, at: number): { cell: string; end: number } | undefined {
  let cell = ''
  for (let from = at + 1; ;) {
    const quote = text.indexOf('"', from)
    if (quote === -1) return undefined
    cell += text.slice(from, quote)
    if (text[quote + 1] !== '"') return { cell, end: quote + 1 }
    cell += '"'
    from = quote + 2
  }
}

/** The same for a cell with a backslash before each of its quotes. */
function escapedCell(text: string, at: number): { cell: string; end: number } | undefined {
  ESCAPED_CELL.lastIndex = at
  const [, content] = ESCAPED_CELL.exec(text) ?? []
  if (content === undefined) return undefined
  return { cell: content.replaceAll(/\\(["\\])/g, '$1'), end: ESCAPED_CELL.lastIndex }
}
