import { NotRunningError } from './run-machine.ts'

/** How often a run says how far it is, and learns that it was cancelled. */
const ADVANCE_MS = 500

export interface RunWatch<Progress> {
  /** Aborted with NotRunningError when the run does not run any more. */
  signal: AbortSignal
  progress: (progress: Progress) => void
  stop: () => void
}

/** Writes the progress of a run twice a second, also while nothing changes, so that the run is not taken for lost. */
export function watchRun<Progress>(first: Progress, advance: (progress: Progress) => Promise<void>): RunWatch<Progress> {
  const ended = new AbortController()
  let latest = first
  let isWriting = false
  const write = async () => {
    if (isWriting) return
    isWriting = true
    try {
      await advance(latest)
    } catch (error) {
      // Any other error meets the statements of the work itself.
      if (error instanceof NotRunningError) ended.abort(error)
    } finally {
      isWriting = false
    }
  }
  const timer = setInterval(() => void write(), ADVANCE_MS)
  return { signal: ended.signal, progress: (progress) => void (latest = progress), stop: () => clearInterval(timer) }
}
