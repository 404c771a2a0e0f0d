import type { ErasureStep } from '../../contract/erasure.ts'
import type { Database } from '../database/connection.ts'
import type { Tombstones } from '../log/tombstone.ts'
import { fence } from './fence.ts'
import { eraseLinks } from './links.ts'
import { eraseReports, eraseSearches, findEvents } from './log-parts.ts'
import { eraseProfiles } from './profiles.ts'
import { eraseRejected } from './rejected.ts'
import { advance, completeErasure, type ErasureAt, erasureAt, PartIsDoneError } from './run-machine.ts'
import { shopperIdsOfRun } from './run-shoppers.ts'

/** What an erasure needs besides the database. */
export interface ErasureDeps {
  tombstones: Tombstones
  /** Forgets shoppers in what is kept outside of the database. */
  forget: (shopperIds: readonly string[]) => Promise<void>
}

type Part = (db: Database, at: ErasureAt, deps: ErasureDeps) => Promise<void>

/** Each part is one transaction, or is safe to repeat. It moves the run on in its own transaction, so that it is done and counted once. */
const PARTS: Record<ErasureStep, Part> = {
  fence: (db, at, { tombstones }) => fence(db, at, tombstones),
  find: findEvents,
  profiles: eraseProfiles,
  searches: eraseSearches,
  reports: eraseReports,
  rejected: eraseRejected,
  context: async (db, at, { forget }) => {
    await forget(await shopperIdsOfRun(db, at.runId))
    await moveOn(db, at)
  },
  links: eraseLinks,
  payments: moveOn,
  certificate: (db, { runId }) => completeErasure(db, runId),
}

async function moveOn(db: Database, at: ErasureAt): Promise<void> {
  await db.transaction().execute((tx) => advance(tx, at, null))
}

/** Does the next part of a run. A part that another attempt has done meanwhile is left. @returns whether there is more to do. */
export async function eraseNextPart(db: Database, runId: string, deps: ErasureDeps): Promise<boolean> {
  const at = await erasureAt(db, runId)
  if (at === undefined) return false
  try {
    await PARTS[at.step](db, at, deps)
  } catch (error) {
    if (!(error instanceof PartIsDoneError)) throw error
  }
  return (await erasureAt(db, runId)) !== undefined
}
