/** The cells of a record; or that a quote is still open at the end of the text; or why the text is no record. */
export type Split = { cells: string[] } | { open: true } | { reason: string }

export const OPEN = { open: true } as const

/** Splits a record. As in RFC 4180 a quote opens a cell only at its start; elsewhere it is a character. */
export function splitRecord(text: string, delimiter: string): Split {
  if (!text.includes('"')) return { cells: text.split(delimiter) }
  const cells: string[] = []
  for (let at = 0; ; at += delimiter.length) {
    if (text[at] === '"') {
      const quoted = quotedCell(text, at)
      if (quoted === undefined) return OPEN
      cells.push(quoted.cell)
      at = quoted.end
      if (at < text.length && !text.startsWith(delimiter, at))
        return { reason: 'has text between a closing quote and the next cell' }
    } else {
      const end = text.indexOf(delimiter, at)
      cells.push(end === -1 ? text.slice(at) : text.slice(at, end))
      at = end === -1 ? text.length : end
    }
    if (at === text.length) return { cells }
  }
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
