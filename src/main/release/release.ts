import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CHECKOUT } from '../config/checkout.ts'

/** What a release's name is kept as, in what Restate knows of each service. */
export const RELEASE = 'footfall-release'

/** Whatever changes what the program does. */
const CODE = ['src', 'services', 'package.json', 'package-lock.json']

/** What this code is called, as `0.1.0+1f2e3d4c5b6a`: the version, and a hash of the files that it is made of. */
export async function releaseName(): Promise<string> {
  const hash = createHash('sha256')
  for (const path of (await Promise.all(CODE.map(filesIn))).flat()) {
    hash.update(`${path}\0`).update(await readFile(join(CHECKOUT, path)))
  }
  const { version } = JSON.parse(await readFile(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }
  return `${version}+${hash.digest('hex').slice(0, 12)}`
}

async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(join(CHECKOUT, path), { recursive: true, withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) return [path]
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(CHECKOUT.length + 1))
    .sort()
}
