import { ArchiveError, type ArchiveStore } from '../../src/external/archive-store.ts'
import { archiveIdOf } from '../../src/store/archive/identity.ts'
import { completeRestored, prepareRestored, restorePart } from '../../src/store/archive/restored-month.ts'
import { keysOf } from '../../src/store/archive/shopper-key.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { checkPart, linesOf } from './check-month.ts'
import type { Manifest, PartOfManifest } from './manifest.ts'
import { archivedLineOf, LineError, pseudonymsIn, restoredRowOf } from './sealed.ts'

/**
 * Restores an archived month into a table of its own, which is no partition of the log: nothing is counted again, and no trigger fires. Each part
 * is one transaction, so a killed restore goes on with the next part.
 * @throws ArchiveError for a month of another database, which has the keys of its shoppers, unless it may be without them.
 */
export async function restoreMonth(
  db: Database,
  store: ArchiveStore,
  manifest: Manifest,
  { isForeign = false }: { isForeign?: boolean } = {},
): Promise<void> {
  const { table, month } = manifest
  if (manifest.database !== (await archiveIdOf(db)) && !isForeign)
    throw new ArchiveError(
      `${table} ${month} in ${store.place} was archived by another database, which has the keys of its shoppers: --foreign restores it without them`,
    )
  const rows = manifest.parts.reduce((sum, part) => sum + part.rows, 0)
  if (rows !== manifest.rows)
    throw new ArchiveError(
      `the manifest of ${table} ${month} in ${store.place} says ${manifest.rows} rows, and its parts have ${rows}`,
    )
  await prepareRestored(db, table, month)
  for (const [no, part] of manifest.parts.entries()) {
    const restoring = restorePart(db, { table, month, part: no, sha256: part.sha256 }, async (tx, insert) => {
      for await (const lines of linesOf(store, manifest, part)) {
        const archived = lines.map(archivedLineOf)
        const keys = await keysOf(tx, pseudonymsIn(archived))
        await insert(archived.map((line) => restoredRowOf(line, keys)))
      }
    })
    await restoring.catch((cause: unknown) => explain(cause, store, manifest, part))
  }
  const restored = await completeRestored(db, table, month, manifest.rows)
  if (restored !== manifest.rows)
    throw new ArchiveError(
      `${table} ${month} was restored with ${restored} rows, and its manifest says ${manifest.rows}: drop the table and restore it again`,
    )
}

/**
 * Says that a part is damaged when it is: its rows fail before its end is compared with the manifest.
 * @throws always: the error of the part, or else the one that it got.
 */
async function explain(cause: unknown, store: ArchiveStore, manifest: Manifest, part: PartOfManifest): Promise<never> {
  if (!(cause instanceof ArchiveError) || cause instanceof LineError) await checkPart(store, manifest, part)
  if (cause instanceof LineError)
    throw new ArchiveError(`${part.name} in ${store.place} cannot be restored: ${cause.message}`, { cause })
  throw cause
}
