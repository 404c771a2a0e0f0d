import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { StartError } from '../config/start-error.ts'

/** A lost call on its way back into PostgreSQL. */
export const KeptCall = z.object({
  id: z.string().describe('The invocation whose proof is missing.'),
  service: z.string(),
  handler: z.string(),
  key: z.string().optional(),
  idempotencyKey: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.base64(),
  completedAt: z.string(),
  purged: z.array(z.string()).describe('The invocations that Restate must forget before the call is sent again.'),
})
export type KeptCall = z.infer<typeof KeptCall>

const SUFFIX = '.json'

/** The ids of the calls that an earlier repair kept and did not bring back to the end. */
export async function keptIds(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  const files = names.filter((name) => name.startsWith('inv_') && name.endsWith(SUFFIX)).toSorted()
  return files.map((name) => name.slice(0, -SUFFIX.length))
}

export async function keptCall(folder: string, id: string): Promise<KeptCall> {
  const file = join(folder, `${id}${SUFFIX}`)
  try {
    return KeptCall.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (cause) {
    throw new StartError(`${file} is not a call that reconcile kept: remove it.`, { cause })
  }
}

/** Keeps a call on the disk before Restate forgets it. Only for the owner, because it may name persons. */
export async function keepCall(folder: string, call: KeptCall): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeSafely(folder, `${call.id}${SUFFIX}`, JSON.stringify(call))
}

export async function forgetKept(folder: string, id: string): Promise<void> {
  await rm(join(folder, `${id}${SUFFIX}`), { force: true })
}

/** Puts a call aside that was refused: another repair would send it again and again. @returns its file. */
export async function putAside(folder: string, id: string): Promise<string> {
  const file = join(folder, `refused-${id}${SUFFIX}`)
  await rename(join(folder, `${id}${SUFFIX}`), file)
  return file
}

/** A file that is there whole or not at all, also after a loss of power. */
async function writeSafely(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${name}`)
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(folder, name))
  const directory = await open(folder, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
