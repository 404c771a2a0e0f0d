const GAP = '  '

/** Named rows as lines of text. Columns that do not fit the width follow below, with the names again. */
export function tableLines(rows: Readonly<Record<string, Readonly<Record<string, string>>>>, width: number): string[] {
  const names = Object.keys(rows)
  const cells = Object.values(rows)
  const first = padded(['', ...names], 'left')
  const blocks: string[][] = []
  for (const column of Object.keys(cells[0] ?? {})) {
    const text = padded([column, ...cells.map((row) => row[column] ?? '')], 'right')
    const block = blocks.at(-1)
    const isFull = block === undefined || block[0]!.length + GAP.length + text[0]!.length > width
    if (isFull) blocks.push(joined(first, text))
    else blocks[blocks.length - 1] = joined(block, text)
  }
  return blocks.flatMap((block, at) => (at === 0 ? block : ['', ...block]))
}

function padded(texts: readonly string[], side: 'left' | 'right'): string[] {
  const width = Math.max(...texts.map(({ length }) => length))
  return texts.map((text) => (side === 'left' ? text.padEnd(width) : text.padStart(width)))
}

const joined = (before: readonly string[], next: readonly string[]): string[] => before.map((line, at) => line + GAP + next[at]!)
