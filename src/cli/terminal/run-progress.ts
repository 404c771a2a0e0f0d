import { INTERRUPTED } from './exit-status.ts'
import { percentOf, progressBarOn } from './progress-bar.ts'

/** Shows how far a run is. */
export interface RunProgress<Run> {
  report: (run: Run) => void
  stop: () => void
}

/** How a run is shown. */
export interface RunView<Run> {
  /** What is done, from 0 to 1. */
  shareOf: (run: Run) => number
  describe: (run: Run) => string
}

const LINE_EVERY_MS = 10_000

/** A bar on a terminal, otherwise a line every 10 s. Both go to stderr, because stdout is for the result. */
export function runProgressOn<Run>(stream: NodeJS.WriteStream, view: RunView<Run>, onInterrupted: () => void): RunProgress<Run> {
  const progress = stream.isTTY ? barOn(stream, view) : linesOn(stream, view)
  const interrupted = () => {
    progress.stop()
    onInterrupted()
    process.exit(INTERRUPTED)
  }
  process.once('SIGINT', interrupted)
  return {
    report: progress.report,
    stop: () => {
      process.removeListener('SIGINT', interrupted)
      progress.stop()
    },
  }
}

function linesOn<Run>(stream: NodeJS.WriteStream, { shareOf, describe }: RunView<Run>): RunProgress<Run> {
  let nextAt = performance.now() + LINE_EVERY_MS
  return {
    report: (run) => {
      if (performance.now() < nextAt) return
      nextAt = performance.now() + LINE_EVERY_MS
      stream.write(`${percentOf(shareOf(run))}: ${describe(run)}\n`)
    },
    stop: () => undefined,
  }
}

function barOn<Run>(stream: NodeJS.WriteStream, { shareOf, describe }: RunView<Run>): RunProgress<Run> {
  const bar = progressBarOn(stream)
  return { report: (run) => bar.draw(shareOf(run), describe(run)), stop: bar.clear }
}
