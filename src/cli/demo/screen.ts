import { clearScreenDown, moveCursor } from 'node:readline'
import { harmless } from '../terminal/harmless.ts'
import { painted } from '../terminal/output.ts'
import { linesOf, plainLineOf, type View } from './table.ts'

/** The output of the demo. */
export interface Screen {
  /** Prints a line that stays. */
  print: (line: string) => void
  /** Shows the current state, in place of the previous state on a terminal. */
  show: (view: View) => void
}

const PRODUCTS_MAX = 12
/** Heading, the sleeper below the list, empty line, numbers, story, and the cursor's line. */
const OTHER_LINES = 6
const PLAIN_EVERY_MS = 10_000
const ROWS_USUAL = 24
const COLUMNS_USUAL = 80

/** A list that is redrawn on a terminal, otherwise a line every 10 s. */
export function screenOn(stream: NodeJS.WriteStream): Screen {
  return stream.isTTY ? drawnOn(stream) : plain((line) => void stream.write(`${harmless(line)}\n`))
}

/** Lines, at most one view per 10 s. `now` is in milliseconds. */
export function plain(print: (line: string) => void, now = () => performance.now()): Screen {
  let showAt = now()
  return {
    print,
    show: (view) => {
      if (now() < showAt) return
      showAt = now() + PLAIN_EVERY_MS
      print(plainLineOf(view))
    },
  }
}

function drawnOn(stream: NodeJS.WriteStream): Screen {
  let drawn: string[] = []
  const draw = (lines: string[], before: readonly string[] = []) => {
    moveCursor(stream, 0, -drawn.length)
    clearScreenDown(stream)
    stream.write([...before, ...lines].map((line) => `${line}\n`).join(''))
    drawn = lines
  }
  return {
    print: (line) => draw(drawn, [harmless(line)]),
    show: (view) => {
      // Some terminals do not report their size.
      const [rows, columns] = [stream.rows || ROWS_USUAL, stream.columns || COLUMNS_USUAL]
      const lines = linesOf(view, Math.max(1, Math.min(PRODUCTS_MAX, rows - OTHER_LINES)))
      // A line that wraps would take two lines, and the cursor would move up too little.
      draw(lines.map(({ text, ...line }) => painted({ ...line, text: harmless(text).slice(0, columns - 1) }, stream)))
    },
  }
}
