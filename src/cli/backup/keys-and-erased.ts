import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { StartError } from '../../main/config/start-error.ts'
import type { KeysAndErased } from '../../store/backup/keys-and-erased.ts'

const instant = z.iso.datetime()

const List = z.object({
  format: z.literal(1),
  keys: z.array(z.object({ key_id: z.string(), name: z.string(), created_at: instant, revoked_at: instant.nullable() })),
  erased: z.array(z.object({ id_hmac: z.string(), key_id: z.string(), erased_at: instant })),
})

export function keysAndErasedText(list: KeysAndErased): string {
  return `${JSON.stringify({ format: 1, ...list })}\n`
}

/** @throws StartError for a file that is no such list. */
export async function readKeysAndErasedFile(path: string): Promise<KeysAndErased> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new StartError(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause })
  })
  try {
    return List.parse(JSON.parse(text))
  } catch (cause) {
    throw new StartError(`${path} is no list of keys and erased persons that footfall backup wrote.`, { cause })
  }
}
