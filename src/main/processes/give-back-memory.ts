import { Session } from 'node:inspector/promises'
import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'

const CHECK_MS = 2_000
/** The share of its time that the event loop of a calm process works. */
const CALM_SHARE_MAX = 0.05
/** A smaller heap than this above the one after the last collection is not worth a pause. */
const GROWN_BYTES_MIN = 16 * 1024 * 1024
/** Between two collections. */
const PAUSE_MS = 30_000

export interface Process {
  /** The share of the time since the last question that the event loop worked. */
  busyShare: () => number
  heapBytes: () => number
  collect: () => Promise<void>
  nowMs: () => number
}

/**
 * Collects garbage when this process becomes calm after a load. V8 collects when much was allocated, so that what a load needed would stay
 * until the next load: docs/decisions.md has how much that is. A collection stops the process for 0.1 to 0.2 s, once for each load and every 30 s
 * at most.
 */
export function giveBackMemory(): void {
  let last: EventLoopUtilization | undefined
  const busyShare = () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = last === undefined ? now : performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
  const check = createCalmCheck({
    busyShare,
    heapBytes: () => getHeapStatistics().total_heap_size,
    collect,
    nowMs: () => performance.now(),
  })
  setInterval(() => void check().catch(() => undefined), CHECK_MS).unref()
}

/** One check. */
export function createCalmCheck({ busyShare, heapBytes, collect, nowMs }: Process): () => Promise<void> {
  let keptBytes = 0
  let collectedMs = -Infinity
  return async () => {
    const isCalm = busyShare() <= CALM_SHARE_MAX
    if (!isCalm || heapBytes() < keptBytes + GROWN_BYTES_MIN || nowMs() < collectedMs + PAUSE_MS) return
    collectedMs = nowMs()
    await collect()
    keptBytes = heapBytes()
  }
}

/** As V8 does when memory is short: it also gives back empty pages, for which a flag would be needed without the inspector. */
async function collect(): Promise<void> {
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.collectGarbage')
  } finally {
    session.disconnect()
  }
}
