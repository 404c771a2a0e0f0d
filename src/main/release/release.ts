import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CHECKOUT, VERSION } from '../config/checkout.ts'

/** The metadata of each service in Restate that has the name of its release. */
export const RELEASE = 'footfall-release'

/** The metadata that has JOURNAL_MINUTES of the processes that serve it: a handler's options are registered, and the code is the same. */
export const JOURNAL_MINUTES = 'footfall-journal-minutes'

/** Files and folders that determine what the program does. */
const CODE = ['src', 'services', 'package.json', 'package-lock.json']

/** The name of this code, e.g. `0.1.0+1f2e3d4c5b6a`: the version, and a hash of its files. */
export async function releaseName(): Promise<string> {
  const hash = createHash('sha256')
  for (const path of (await Promise.all(CODE.map(filesIn))).flat()) {
    hash.update(`${path}\0`).update(await readFile(join(CHECKOUT, path)))
  }
  return `${VERSION}+${hash.digest('hex').slice(0, 12)}`
}

async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(join(CHECKOUT, path), { recursive: true, withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) return [path]
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(CHECKOUT.length + 1))
    .sort()
}
