import type { RunStatus } from '../../contract/recompute-run.ts'
import { INTERRUPTED } from './exit-status.ts'
import { percentOf, progressBarOn } from './progress-bar.ts'

interface Run {
  status: RunStatus
  /** What a running run does, if it does several things. */
  stage?: string | undefined
  progress: { done: number; total: number }
}

/** Shows how far a run is. */
export interface RunProgress {
  report: (run: Run) => void
  stop: () => void
}

const LINE_EVERY_MS = 10_000

/** A bar on a terminal, otherwise a line every 10 s. Both go to stderr, because stdout is for the result. `parts` are what is counted. */
export function runProgressOn(stream: NodeJS.WriteStream, parts: string, onInterrupted: () => void): RunProgress {
  const progress = stream.isTTY ? barOn(stream, parts) : linesOn(stream, parts)
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

function linesOn(stream: NodeJS.WriteStream, parts: string): RunProgress {
  let nextAt = performance.now() + LINE_EVERY_MS
  return {
    report: (run) => {
      if (performance.now() < nextAt) return
      nextAt = performance.now() + LINE_EVERY_MS
      stream.write(`${percentOf(shareOf(run))}: ${describe(run, parts)}\n`)
    },
    stop: () => undefined,
  }
}

function barOn(stream: NodeJS.WriteStream, parts: string): RunProgress {
  const bar = progressBarOn(stream)
  return { report: (run) => bar.draw(shareOf(run), describe(run, parts)), stop: bar.clear }
}

/** The total is 0 until it is known. */
function shareOf({ progress: { done, total } }: Run): number {
  return total === 0 ? 0 : done / total
}

function describe({ status, stage = status, progress: { done, total } }: Run, parts: string): string {
  return total === 0 ? stage : `${stage}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${parts}`
}
