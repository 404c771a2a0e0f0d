import { progress as bar } from '@clack/prompts'
import { harmless } from '../terminal/harmless.ts'

/** How far an import is. */
export interface Position {
  bytes: number
  bytesTotal: number
  rows: number
}

/** Shows how far an import is. */
export interface Progress {
  report: (position: Position) => void
  /** Shows why the import does not advance. */
  stalled: (reason: string) => void
  stop: () => void
}

const LINE_EVERY_MS = 10_000

/** A bar on a terminal, otherwise a line every 10 s. Both go to stderr, because stdout is for the result. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? barOn(stream) : linesOn((line) => void stream.write(`${harmless(line)}\n`))
}

/** At most one line of each kind per 10 s. `now` is in milliseconds. */
export function linesOn(print: (line: string) => void, now = () => performance.now()): Progress {
  const startedAt = now()
  let reportAt = startedAt + LINE_EVERY_MS
  let stalledAt = startedAt
  return {
    report: (position) => {
      if (now() < reportAt) return
      reportAt = now() + LINE_EVERY_MS
      print(describe(position, (now() - startedAt) / 1_000))
    },
    stalled: (reason) => {
      if (now() < stalledAt) return
      stalledAt = now() + LINE_EVERY_MS
      print(`Trying again: ${reason}`)
    },
    stop: () => undefined,
  }
}

function barOn(output: NodeJS.WriteStream): Progress {
  const startedAt = performance.now()
  let shown: ReturnType<typeof bar> | undefined
  let bytesShown = 0
  // The bar reads the keyboard, and exits with code 0 at Ctrl-C.
  const interrupted = () => {
    process.exitCode = 130
    output.write('The import was interrupted; running it again is safe.\n')
  }
  return {
    report: (position) => {
      if (shown === undefined) {
        shown = bar({ output, max: position.bytesTotal, indicator: 'timer' })
        shown.start('Importing')
        process.once('exit', interrupted)
      }
      shown.advance(position.bytes - bytesShown, describe(position, (performance.now() - startedAt) / 1_000))
      bytesShown = position.bytes
    },
    stalled: (reason) => shown?.message(harmless(`Trying again: ${reason}`)),
    stop: () => {
      process.removeListener('exit', interrupted)
      shown?.clear()
    },
  }
}

/** `12,000 rows, 24,000 rows/s, 35 s left`. */
export function describe({ bytes, bytesTotal, rows }: Position, seconds: number): string {
  const parts = [
    `${rows.toLocaleString('en')} rows`,
    `${Math.round(rows / Math.max(seconds, 0.001)).toLocaleString('en')} rows/s`,
  ]
  if (bytes > 0) parts.push(`${durationOf((seconds * (bytesTotal - bytes)) / bytes)} left`)
  return parts.join(', ')
}

function durationOf(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  return whole < 3_600 ? `${Math.ceil(whole / 60)} min` : `${(whole / 3_600).toFixed(1)} h`
}
