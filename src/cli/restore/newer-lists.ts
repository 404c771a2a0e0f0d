import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ErasedPerson, KeysAndErased, ListedKey } from '../../store/backup/keys-and-erased.ts'
import { readKeysAndErasedFile } from '../backup/keys-and-erased.ts'
import { KEYS_AND_ERASED, type Manifest, MANIFEST, readManifest } from '../backup/manifest.ts'

/** A list of keys and erased persons, and where it is from. */
export interface NewerList {
  source: string
  list: KeysAndErased
}

/** The lists of newer backups of the same database in the folder beside this one. */
async function listsOfNewerBackups(
  backup: string,
  { system_identifier: database, finished_at: at }: Manifest,
): Promise<NewerList[]> {
  const beside = dirname(backup)
  const lists: NewerList[] = []
  for (const name of (await readdir(beside)).sort()) {
    const folder = join(beside, name)
    if (name === basename(backup) || !existsSync(join(folder, MANIFEST))) continue
    const manifest = await readManifest(folder).catch(() => undefined)
    if (manifest?.system_identifier !== database || manifest.finished_at <= at) continue
    lists.push(await listIn(folder))
  }
  return lists
}

/** The lists of newer backups, and of files. */
export async function listsOfFiles(backup: string, manifest: Manifest, files: readonly string[] = []): Promise<NewerList[]> {
  const lists = await listsOfNewerBackups(backup, manifest)
  for (const source of files) lists.push({ source, list: await readKeysAndErasedFile(source) })
  return lists
}

/** The list of a backup. */
export async function listIn(backup: string): Promise<NewerList> {
  const source = join(backup, KEYS_AND_ERASED)
  return { source, list: await readKeysAndErasedFile(source) }
}

/** What any of the lists says. */
export function merged(lists: readonly NewerList[]): KeysAndErased {
  const keys = new Map<string, ListedKey>()
  const erased = new Map<string, ErasedPerson>()
  for (const { list } of lists) {
    for (const key of list.keys) if (keys.get(key.key_id)?.revoked_at == null) keys.set(key.key_id, key)
    for (const person of list.erased) {
      const known = erased.get(person.id_hmac)
      if (known === undefined || known.erased_at < person.erased_at) erased.set(person.id_hmac, person)
    }
  }
  return { keys: [...keys.values()], erased: [...erased.values()] }
}
