import { existsSync } from 'node:fs'
import type { Config } from '../../main/config/config.ts'
import { erasureKeyOf } from '../../main/config/erasure-key.ts'
import { StartError } from '../../main/config/start-error.ts'
import { erasureKeyFileOf } from '../../main/database/home-paths.ts'
import type { ErasedPerson, KeysAndErased, ListedKey } from '../../store/backup/keys-and-erased.ts'
import { eraseAgain, lostKeys, revokeAgain, undoneErasures, writeTombstonesAgain } from '../../store/backup/redo.ts'
import type { Database } from '../../store/database/connection.ts'
import { createTombstones, type Tombstones } from '../../store/log/tombstone.ts'

/** What was done again because the restore had undone it. */
export interface Redone {
  revokedAgain: ListedKey[]
  /** Keys that were made later, and are gone. */
  lostKeys: ListedKey[]
  /** How many ids of erased persons are known as such again. */
  tombstones: number
  /** How many persons will be erased again. */
  erasures: number
}

export async function redo(db: Database, { keys, erased }: KeysAndErased, tombstones: Tombstones): Promise<Redone> {
  const undone = await undoneErasures(db, erased)
  if (undone.length > 0) await writeTombstonesAgain(db, undone)
  return {
    revokedAgain: await revokeAgain(db, keys),
    lostKeys: await lostKeys(db, keys),
    tombstones: undone.length,
    erasures: undone.length > 0 ? await eraseAgain(db, undone, tombstones) : 0,
  }
}

/** The key of erased persons. @throws StartError when some of them were erased with another one, or there is none. */
export function tombstonesFor(config: Config, erased: readonly ErasedPerson[]): Tombstones {
  const file = config.ERASURE_KEY_FILE ?? erasureKeyFileOf(config)
  const key = existsSync(file) ? erasureKeyOf({ ERASURE_KEY_FILE: file }) : undefined
  const tombstones = createTombstones(key)
  if (erased.length === 0) return tombstones
  const keyId = key === undefined ? undefined : tombstones.keyId().toString('hex')
  if (erased.every((person) => person.key_id === keyId)) return tombstones
  throw new StartError(
    `Persons were erased with the key that Footfall had then, and ${file} ${key === undefined ? 'does not exist' : 'is another one'}: copy the key there first (docs/backup.md).`,
  )
}
