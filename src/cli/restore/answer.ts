import { numberedText } from '../terminal/count.ts'
import type { Restored } from './run.ts'

/** Transactions that committed last may have begun before others. */
const OVERLAP_MS = 60_000

/** The restore as JSON. */
export function answerOf(restored: Restored, to: Date | undefined, now = new Date()) {
  const { state, manifest } = restored
  return {
    ...(to !== undefined && { to: to.toISOString() }),
    backup: { began_at: manifest.began_at, release: manifest.release, schema: manifest.schema },
    timeline: state.timeline,
    replayed_to: restored.replayedTo,
    schema: state.schema,
    last_batch: state.lastBatch,
    missing: missingOf(restored, now),
    moved_to: restored.movedTo ?? null,
    newer_lists: restored.sources,
    revoked_again: restored.revokedAgain,
    lost_keys: restored.lostKeys,
    erased_ids_again: restored.tombstones,
    erasures_requested: restored.erasures,
  }
}

/** What was recorded in this time may be missing. */
function missingOf({ state, manifest }: Restored, now: Date): { from: string; to: string } {
  const lastMs = state.lastBatchAt?.getTime() ?? Date.parse(manifest.began_at)
  return { from: new Date(lastMs - OVERLAP_MS).toISOString(), to: now.toISOString() }
}

/** The restore in sentences, and the commands that come next. */
export function linesOf(restored: Restored, to: Date | undefined, now = new Date()): string[] {
  const { state, replayedTo, movedTo, hasRestate } = restored
  const missing = missingOf(restored, now)
  return [
    `Restored${to === undefined ? '' : ` to ${to.toISOString()}`}: ${replayedTo} of the write-ahead log, batch ${state.lastBatch}, now on timeline ${state.timeline}.`,
    ...(movedTo === undefined ? [] : [`The database that was there is ${movedTo}.`]),
    ...keyLines(restored),
    ...erasureLines(restored),
    `What was recorded between ${missing.from} and ${missing.to} may be missing. Next:`,
    '  npm start',
    ...(hasRestate ? ['  ./footfall reconcile --repair    (calls that Restate completed and this database does not have)'] : []),
    '  ./footfall import FILE           (your own archive of that time: what is recorded already counts once)',
    '  ./footfall verify',
  ]
}

function keyLines({ revokedAgain, lostKeys, sources, manifest }: Restored): string[] {
  if (sources.length === 0)
    return [
      `No list of keys is newer than the backup: keys that were revoked after ${manifest.finished_at} work again. Compare ./footfall key list with your own list.`,
    ]
  return [
    `Newer lists of keys and erased persons: ${sources.join(', ')}.`,
    ...revokedAgain.map((key) => `Key ${key.key_id} (${key.name}) is revoked again: it was at ${key.revoked_at}.`),
    ...lostKeys.map((key) => `Key ${key.key_id} (${key.name}) is gone, because it was made at ${key.created_at}.`),
    ...(revokedAgain.length + lostKeys.length === 0 ? ['No key was made or revoked since, as the newer lists say.'] : []),
  ]
}

function erasureLines({ tombstones, erasures, sources, manifest }: Restored): string[] {
  if (sources.length === 0)
    return [
      `Persons who were erased after ${manifest.finished_at} must be erased again, which no newer list names: ./footfall erase.`,
    ]
  if (tombstones === 0) return []
  return [
    `${numberedText(tombstones, 'id')} of persons who were erased since ${tombstones === 1 ? 'is' : 'are'} known as such again, and ${numberedText(erasures, 'erasure')} will be repeated after npm start.`,
  ]
}
