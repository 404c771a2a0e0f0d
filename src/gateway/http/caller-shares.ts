import type { ReadWish } from '../standbys/read-source.ts'

/** The caller of a task, and where a task that reads may read. */
export interface TaskCaller extends ReadWish {
  /** What no other caller has. Callers take turns. */
  id: string
  /** Whether the caller has a share of its own; false when all requests are of one machine. */
  hasShare: boolean
  /** Aborted when the caller has hung up. */
  signal?: AbortSignal | undefined
}

/** The places of each caller in one line or several. */
export interface CallerShares {
  hasFree: (caller: TaskCaller) => boolean
  /** A task of the caller begins in a line. */
  take: (caller: TaskCaller, line: StartNext) => void
  /** It has ended. Every line may start its next tasks. */
  give: (caller: TaskCaller) => void
  /** Adds a line. */
  join: (line: StartNext) => void
}

/** Starts the tasks of a line whose turn it is. */
type StartNext = () => void

interface Share {
  taken: number
  /** The line in which a task of the caller began last comes last. */
  lines: StartNext[]
}

/**
 * Lines take turns for the freed place of a caller, so that its many waiting lists do not keep its own dashboards waiting.
 */
export function createCallerShares(callerRunningMax: number | ((id: string) => number)): CallerShares {
  const lines: StartNext[] = []
  const byCaller = new Map<string, Share>()
  const maxOf = typeof callerRunningMax === 'number' ? () => callerRunningMax : callerRunningMax
  return {
    hasFree: ({ id, hasShare }) => !hasShare || (byCaller.get(id)?.taken ?? 0) < maxOf(id),
    take: ({ id }, line) => {
      const { taken, lines: before } = byCaller.get(id) ?? { taken: 0, lines }
      byCaller.set(id, { taken: taken + 1, lines: [...before.filter((other) => other !== line), line] })
    },
    give: ({ id }) => {
      const share = byCaller.get(id)!
      share.taken--
      for (const startNext of share.lines) startNext()
      if (byCaller.get(id)!.taken === 0) byCaller.delete(id)
    },
    join: (line) => void lines.push(line),
  }
}
