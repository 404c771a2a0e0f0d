/** Enough to see what callers do wrong; the metrics have the numbers. */
const LINES_PER_MINUTE = 10
const MINUTE_MS = 60_000

interface Shown {
  minute: number
  lines: number
  leftOut: number
}

export interface Sampled {
  isShown: boolean
  /** The lines of the same kind that were left out before this one. */
  leftOut: number
}

/** Bounds how many lines of each kind a minute has, because every caller can cause them. `kinds` must be few. */
export function createLineSample(now: () => number = () => performance.now()): (kind: string) => Sampled {
  const byKind = new Map<string, Shown>()
  return (kind) => {
    const minute = Math.floor(now() / MINUTE_MS)
    const before = byKind.get(kind) ?? { minute, lines: 0, leftOut: 0 }
    const { lines, leftOut } = before.minute === minute ? before : { ...before, lines: 0 }
    const isShown = lines < LINES_PER_MINUTE
    byKind.set(kind, { minute, lines: lines + 1, leftOut: isShown ? 0 : leftOut + 1 })
    return { isShown, leftOut }
  }
}
