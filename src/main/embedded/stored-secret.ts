import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'

/** A secret of this folder's own: made by the first start, readable by its owner only. */
export async function storedSecret(file: string, make: () => string): Promise<string> {
  if (!existsSync(file)) await writeFile(file, make(), { mode: 0o600 })
  return (await readFile(file, 'utf8')).trim()
}
