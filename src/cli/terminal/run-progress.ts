import type { RecomputeRun } from '../../contract/recompute-run.ts'
import { INTERRUPTED } from './exit-status.ts'
import { percentOf, progressBarOn } from './progress-bar.ts'

/** Shows how far a run is. */
export interface RunProgress {
  report: (run: RecomputeRun) => void
  stop: () => void
}

const LINE_EVERY_MS = 10_000

/** A bar on a terminal, otherwise a line every 10 s. Both go to stderr, because stdout is for the result. */
export function runProgressOn(stream: NodeJS.WriteStream, onInterrupted: () => void): RunProgress {
  const progress = stream.isTTY ? barOn(stream) : linesOn(stream)
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

function linesOn(stream: NodeJS.WriteStream): RunProgress {
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

function barOn(stream: NodeJS.WriteStream): RunProgress {
  const bar = progressBarOn(stream)
  return { report: (run) => bar.draw(shareOf(run), describe(run)), stop: bar.clear }
}

function shareOf({ progress: { done, total } }: RecomputeRun): number {
  return done / total
}

function describe({ status, progress: { done, total } }: RecomputeRun): string {
  return `${status}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} buckets`
}
