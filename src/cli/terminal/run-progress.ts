import { progress as bar } from '@clack/prompts'
import type { RecomputeRun } from '../../contract/recompute-run.ts'

/** Shows how far a run is. */
export interface RunProgress {
  report: (run: RecomputeRun) => void
  stop: () => void
}

const LINE_EVERY_MS = 10_000

/** A bar on a terminal, otherwise a line every 10 s. Both go to stderr, because stdout is for the result. */
export function runProgressOn(stream: NodeJS.WriteStream, onInterrupted: () => void): RunProgress {
  return stream.isTTY ? barOn(stream, onInterrupted) : linesOn(stream, onInterrupted)
}

function linesOn(stream: NodeJS.WriteStream, onInterrupted: () => void): RunProgress {
  let nextAt = performance.now() + LINE_EVERY_MS
  const interrupted = () => {
    onInterrupted()
    process.exit(130)
  }
  process.once('SIGINT', interrupted)
  return {
    report: (run) => {
      if (performance.now() < nextAt) return
      nextAt = performance.now() + LINE_EVERY_MS
      stream.write(`${describe(run)}\n`)
    },
    stop: () => void process.removeListener('SIGINT', interrupted),
  }
}

function barOn(output: NodeJS.WriteStream, onInterrupted: () => void): RunProgress {
  let shown: ReturnType<typeof bar> | undefined
  let doneShown = 0
  // The bar reads the keyboard, and exits with code 0 at Ctrl-C.
  const interrupted = () => {
    process.exitCode = 130
    onInterrupted()
  }
  return {
    report: (run) => {
      if (shown === undefined) {
        shown = bar({ output, max: run.progress.total, indicator: 'timer' })
        shown.start('Recomputing')
        process.once('exit', interrupted)
      }
      shown.advance(run.progress.done - doneShown, describe(run))
      doneShown = run.progress.done
    },
    stop: () => {
      process.removeListener('exit', interrupted)
      shown?.clear()
    },
  }
}

function describe({ status, progress: { done, total } }: RecomputeRun): string {
  return `${status}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} buckets`
}
