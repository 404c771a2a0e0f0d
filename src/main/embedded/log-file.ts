import { fchmodSync, openSync } from 'node:fs'

/** For the owner alone, because logs name products and callers. */
const MODE = 0o600

/** Opens a log to add to it. @returns its file descriptor. */
export function openLogFile(path: string): number {
  const file = openSync(path, 'a', MODE)
  // The mode above is that of a new file.
  fchmodSync(file, MODE)
  return file
}
