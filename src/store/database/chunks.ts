const FIRST_SIZE = 50
/** By how much a chunk may be larger or smaller than the one before. */
const CHANGE_MAX = 2

/** How long the locks of a chunk should be held, and how many things it has: fewer would pay for their transactions alone. */
export interface ChunkLimits {
  targetMs: number
  sizeMin: number
  sizeMax: number
}

/**
 * Works things off in chunks that take about as long as they should: what a product costs depends on how hot it is, so the
 * next chunk's size follows from the last one's time. @returns the sum of what `work` returned.
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
 * One chunk that was fast or slow by chance must not make the next one very different. On a busy machine, where a commit alone
 * takes longer than it should, the smallest size keeps the whole from crawling.
 */
export function nextSize(size: number, tookMs: number, { targetMs, sizeMin, sizeMax }: ChunkLimits): number {
  const factor = Math.max(1 / CHANGE_MAX, Math.min(CHANGE_MAX, targetMs / Math.max(tookMs, 0.1)))
  return Math.max(sizeMin, Math.min(sizeMax, Math.floor(size * factor)))
}
