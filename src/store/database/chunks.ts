const FIRST_SIZE = 50
/** By how much a chunk may be larger or smaller than the one before. */
const CHANGE_MAX = 2

/** How long a chunk should hold its locks, and how many things it has. Fewer would cost little but their transaction. */
export interface ChunkLimits {
  targetMs: number
  sizeMin: number
  sizeMax: number
}

/**
 * Processes things in chunks that each take about `targetMs`. A product's cost depends on how many events it has, so the size of
 * the next chunk follows from the time of the last one. @returns the sum of what `work` returned.
 */
export async function inChunks<T>(
  things: readonly T[],
  limits: ChunkLimits,
  work: (chunk: readonly T[]) => Promise<number>,
): Promise<number> {
  let sum = 0
  let size = Math.min(FIRST_SIZE, limits.sizeMax)
  for (let place = 0; place < things.length;) {
    const chunk = things.slice(place, place + size)
    const startedAt = performance.now()
    sum += await work(chunk)
    place += chunk.length
    size = nextSize(chunk.length, performance.now() - startedAt, limits)
  }
  return sum
}

/**
 * The size of the chunk after a chunk of `tookMs`: at most twice as large and at least half, because one chunk may be fast or
 * slow by chance. On a busy machine a commit alone can exceed the target; `sizeMin` keeps the work going then.
 */
export function nextSize(size: number, tookMs: number, { targetMs, sizeMin, sizeMax }: ChunkLimits): number {
  const factor = Math.max(1 / CHANGE_MAX, Math.min(CHANGE_MAX, targetMs / Math.max(tookMs, 0.1)))
  return Math.max(sizeMin, Math.min(sizeMax, Math.floor(size * factor)))
}
