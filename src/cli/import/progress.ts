import { harmless } from '../terminal/harmless.ts'
import { percentOf, progressBarOn } from '../terminal/progress-bar.ts'

/** How far an import is. */
export interface Position {
  bytes: number
  bytesTotal: number
  rows: number
}

/** Shows how far an import is. */
export interface Progress {
  report: (position: Position) => void
  /** Shows how much of a file is read to count its equal rows, before its first row is sent. */
  counting: (read: Pick<Position, 'bytes' | 'bytesTotal'>) => void
  /** Shows why the import does not advance. */
  stalled: (reason: string) => void
  stop: () => void
}

const LINE_EVERY_MS = 10_000
/** More frames are not seen, and cost time. */
const FRAME_EVERY_MS = 100
const COUNTING = 'counting equal rows'

/** A bar on a terminal, otherwise a line every 10 s. Both go to stderr, because stdout is for the result. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? barOn(stream) : linesOn((line) => void stream.write(`${harmless(line)}\n`))
}

/** At most one line of each kind per 10 s. `now` is in milliseconds. */
export function linesOn(print: (line: string) => void, now = () => performance.now()): Progress {
  const startedAt = now()
  let reportAt = startedAt + LINE_EVERY_MS
  let stalledAt = startedAt
  const show = (share: number, text: () => string) => {
    if (now() < reportAt) return
    reportAt = now() + LINE_EVERY_MS
    print(`${percentOf(share)}: ${text()}`)
  }
  return {
    report: (position) => show(shareOf(position), () => describe(position, (now() - startedAt) / 1_000)),
    counting: (read) => show(shareOf(read), () => COUNTING),
    stalled: (reason) => {
      if (now() < stalledAt) return
      stalledAt = now() + LINE_EVERY_MS
      print(`Trying again: ${reason}`)
    },
    stop: () => undefined,
  }
}

/** A bar of at most 10 frames per second. `now` is in milliseconds. */
export function barOn(stream: Pick<NodeJS.WriteStream, 'write' | 'columns'>, now = () => performance.now()): Progress {
  const bar = progressBarOn(stream)
  const startedAt = now()
  let frameAt = startedAt
  let share = 0
  const show = (done: number, text: () => string) => {
    share = done
    if (now() < frameAt) return
    frameAt = now() + FRAME_EVERY_MS
    bar.draw(share, text())
  }
  return {
    report: (position) => show(shareOf(position), () => describe(position, (now() - startedAt) / 1_000)),
    counting: (read) => show(shareOf(read), () => COUNTING),
    stalled: (reason) => bar.draw(share, `Trying again: ${reason}`),
    stop: bar.clear,
  }
}

function shareOf({ bytes, bytesTotal }: Pick<Position, 'bytes' | 'bytesTotal'>): number {
  return bytes / bytesTotal
}

/** `12,000 rows, 24,000 rows/s, 35 s left`. */
export function describe({ bytes, bytesTotal, rows }: Position, seconds: number): string {
  const parts = [
    `${rows.toLocaleString('en')} rows`,
    `${Math.round(rows / Math.max(seconds, 0.001)).toLocaleString('en')} rows/s`,
  ]
  if (bytes > 0) parts.push(`${durationOf((seconds * Math.max(0, bytesTotal - bytes)) / bytes)} left`)
  return parts.join(', ')
}

function durationOf(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  return whole < 3_600 ? `${Math.ceil(whole / 60)} min` : `${(whole / 3_600).toFixed(1)} h`
}
