import type { Queryable } from '../database/connection.ts'

/** The pools whose last call had duplicates, by what all transactions of a pool have in common. */
const seen = new WeakSet<object>()

/**
 * Whether the last call that this pool recorded had events that were in the log already. Then the next call probably has some too, e.g. in an import that
 * is repeated, and an insert that does not expect them would fail.
 */
export function hadDuplicates(db: Queryable): boolean {
  return seen.has(db.getExecutor().adapter)
}

export function noteDuplicates(db: Queryable, hasDuplicates: boolean): void {
  const { adapter } = db.getExecutor()
  if (hasDuplicates) seen.add(adapter)
  else seen.delete(adapter)
}
