import type { Ingress } from '../../ingress/clients.ts'
import type { Config } from '../../main/config/config.ts'
import { withOther } from '../../main/reconcile/open-other.ts'
import { type BroughtOver, bringOver, findThere, type FoundThere } from '../../main/reconcile/other-database.ts'
import { revokeApiKey } from '../../store/access/api-key.ts'
import { type ErasedPerson, readKeysAndErased } from '../../store/backup/keys-and-erased.ts'
import { eraseAgain, undoneErasures, writeTombstonesAgain } from '../../store/backup/redo.ts'
import type { Database } from '../../store/database/connection.ts'
import { tombstonesFor } from '../restore/redo.ts'
import { auditKey } from './key-create.ts'

const ACTOR = 'footfall reconcile'

/** What a comparison with another database came to. */
export interface There {
  found: FoundThere
  brought: BroughtOver | undefined
  /** Keys that were revoked here too. */
  revoked: readonly string[]
  /** Ids of persons who were erased there, and are not here. */
  erasedIds: number
  /** How many erasures of such persons were requested here. */
  erasures: number
}

interface Deps {
  config: Config
  db: Database
  ingress: Ingress
}

/** Compares with the database at an address, and brings back what it has. */
export async function reconcileWith(
  { config, db, ingress }: Deps,
  { url, since, isRepairing }: { url: string; since: number; isRepairing: boolean },
): Promise<There> {
  return withOther(url, db, async (other) => {
    const found = await findThere({ db, other }, since)
    const undone = await undoneErasures(db, (await readKeysAndErased(other)).erased)
    const there = { found, brought: undefined, revoked: [], erasedIds: undone.length, erasures: 0 }
    if (!isRepairing) return there
    const revoked = await revokeThose(db, found)
    // Before anything is brought over, because what was sent late must be recognised.
    const erasures = await eraseThose(config, db, undone)
    return { ...there, revoked, erasures, brought: await bringOver({ ingress, db, other }, found) }
  })
}

async function revokeThose(db: Database, { keys }: FoundThere): Promise<string[]> {
  const revoked: string[] = []
  for (const { keyId, isRevoked } of keys) {
    if (!isRevoked || !(await revokeApiKey(db, keyId))) continue
    await auditKey(db, 'key.revoke', keyId)
    revoked.push(keyId)
  }
  return revoked
}

/** @returns how many erasures were requested. */
async function eraseThose(config: Config, db: Database, undone: readonly ErasedPerson[]): Promise<number> {
  if (undone.length === 0) return 0
  const tombstones = tombstonesFor(config, undone)
  await writeTombstonesAgain(db, undone)
  return eraseAgain(db, undone, tombstones, ACTOR)
}
