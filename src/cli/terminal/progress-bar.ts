import { cutTo, spacesTo, widthOf } from './cells.ts'
import { harmless } from './harmless.ts'

/** A line of a terminal that is written again and again. */
export interface ProgressBar {
  /** @param share what is done, from 0 to 1 */
  draw: (share: number, text: string) => void
  clear: () => void
}

/** For terminals that do not report their width. */
const COLUMNS_USUAL = 80
const BAR_CELLS_MIN = 10
const BAR_CELLS_MAX = 30
/** A terminal shows ^C where the cursor is. */
const ECHO_COLUMNS = 2

/**
 * Writes frames over each other. They have no escape sequences, only carriage returns and blanks, so they need no colours and work on
 * every terminal. They end before the last column, because some terminals go to the next line there.
 */
export function progressBarOn(stream: Pick<NodeJS.WriteStream, 'write' | 'columns'>): ProgressBar {
  let shown = 0
  const columns = () => Math.max(1, stream.columns || COLUMNS_USUAL)
  const write = (frame: string) => {
    const covered = frame + spacesTo(Math.min(shown, columns() - 1), frame)
    stream.write(`\r${covered}`)
  }
  return {
    draw: (share, text) => {
      const frame = frameOf(share, text, columns())
      write(frame)
      shown = widthOf(frame)
    },
    clear: () => {
      if (shown === 0) return
      shown += ECHO_COLUMNS
      write('')
      stream.write('\r')
      shown = 0
    },
  }
}

/** `[######------------]  35 %  12,000 rows`, in fewer columns than there are. A narrow terminal gets no bar, and a part of the text. */
export function frameOf(share: number, text: string, columns: number): string {
  const room = columns - 1
  const words = `${percentOf(share).padStart(5)}  ${harmless(text)}`
  const cells = Math.min(BAR_CELLS_MAX, room - widthOf(words) - '[] '.length)
  if (cells < BAR_CELLS_MIN) return room < 1 ? '' : cutTo(words.trimStart(), room)
  const done = Math.floor(within(share) * cells)
  return `[${'#'.repeat(done)}${'-'.repeat(cells - done)}] ${words}`
}

/** `35 %`, rounded down, so that 100 % is the end. */
export function percentOf(share: number): string {
  return `${Math.floor(within(share) * 100)} %`
}

/** A file may grow while it is read. */
function within(share: number): number {
  return Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0
}
