import { withinMs } from '../http/within-ms.ts'

const CHUNK_CHARACTERS = 64 * 1024

/** Clients take a connection for dead that is silent for some minutes, and proxies for one. */
export const SILENT_MS_MAX = 5_000

/**
 * Lines gathered, because a chunk per line costs more than the line. At the latest after `silentMsMax` it gives the lines that it has. Where it
 * has none, it gives a blank after the last line, or an empty line before the first one.
 */
export async function* inChunks(
  rows: AsyncIterator<string>,
  first: Promise<IteratorResult<string, unknown>>,
  silentMsMax = SILENT_MS_MAX,
): AsyncGenerator<string> {
  let isBegun = false
  let chunk = ''
  try {
    let dueMs = performance.now() + silentMsMax
    for (let next = first; ;) {
      const row = await withinMs(next, dueMs - performance.now())
      if (row?.done) break
      if (row !== undefined) {
        chunk += isBegun ? `\n${row.value}` : row.value
        isBegun = true
        next = rows.next()
      }
      if (chunk.length < CHUNK_CHARACTERS && performance.now() < dueMs) continue
      yield chunk === '' ? (isBegun ? ' ' : '\n') : chunk
      chunk = ''
      dueMs = performance.now() + silentMsMax
    }
    if (isBegun) yield `${chunk}\n`
  } finally {
    // The reader may have hung up. What it waits for ends by itself.
    void rows.return?.()?.catch(() => undefined)
  }
}
