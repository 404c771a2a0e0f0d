import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'

/** Reads a secret from a file that only its owner can read. The first call creates it. */
export async function storedSecret(file: string, make: () => string): Promise<string> {
  if (!existsSync(file)) await writeFile(file, make(), { mode: 0o600 })
  return (await readFile(file, 'utf8')).trim()
}
