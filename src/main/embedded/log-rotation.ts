import { copyFileSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'

/** Once a second, so that even a process that writes 10 MB/s exceeds its share only a little. */
const CHECK_MS = 1_000
const BEFORE = '.1'

/**
 * Keeps the logs of a folder below a size together: each `name.log` has an equal share, half of it for `name.log.1` with the lines before.
 *
 * A log that is too large is copied and then emptied, because the processes that write it have it open. They inherited it for adding only, so
 * they go on at its new end, and they need no other process for writing: PostgreSQL and Restate survive the death of this one. A line that is
 * written between the copy and the emptying is lost.
 * @returns a function that ends it.
 */
export function rotateLogs(folder: string, bytesMax: number): () => void {
  const rotate = () => rotateOnce(folder, bytesMax)
  rotate()
  const timer = setInterval(rotate, CHECK_MS)
  return () => clearInterval(timer)
}

/** Rotates the logs that are too large now. A log that cannot be rotated, e.g. because it was taken away, holds up no other. */
export function rotateOnce(folder: string, bytesMax: number): void {
  const logs = unlessItFails(() => readdirSync(folder).filter((name) => name.endsWith('.log'))) ?? []
  for (const name of logs) unlessItFails(() => rotateLog(join(folder, name), bytesMax / (2 * logs.length)))
}

function rotateLog(path: string, bytesMax: number): void {
  if (statSync(path).size <= bytesMax) return
  // First, because a full disk may have no space for the copy otherwise.
  rmSync(path + BEFORE, { force: true })
  try {
    copyFileSync(path, path + BEFORE)
  } catch {
    // The bound is worth more than the old lines.
    rmSync(path + BEFORE, { force: true })
  }
  truncateSync(path)
}

function unlessItFails<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
