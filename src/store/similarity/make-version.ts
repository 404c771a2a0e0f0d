import type { VersionSettings } from '../../ranking/similarity/version-settings.ts'
import type { Database } from '../database/connection.ts'
import { type EventPage, type LogConsumer, readLog } from './read-log.ts'
import { NotRunningError } from '../runs/run-machine.ts'
import { type RunWatch, watchRun } from '../runs/run-watch.ts'
import { advanceSimilarityRun, type RunProgress } from './run-machine.ts'
import { beginVersion, finishVersion, type VersionChunk, writeChunk } from './version-write.ts'

/** Computes the rows of a version from the log that it takes, in threads of its own. */
export interface VersionJob extends LogConsumer {
  /** @throws the reason of the signal. */
  count: (options: { signal: AbortSignal; onProgress: (done: number, total: number) => void }) => Promise<CountedTotals>
  /** Products with adjacent numbers, and their rows. */
  chunk: (from: number, to: number) => Promise<VersionChunk>
  /** Ends its threads. */
  stop: () => Promise<void>
}

export interface CountedTotals {
  products: number
  shoppers: number
  bots: number
  /** Neighbours of all products. */
  pairs: number
  /** The median of the best similarities of all products. */
  medianBest: number
}

/** Rows of a statement: about 1.3 MB, which take this process 20 ms. */
const WRITE_ROWS = 500

/**
 * Makes a version for a running run: reads the log, counts, and writes the rows. Nothing reads the version before the run completes. Killed
 * anywhere, it is begun again as another version.
 * @returns its number; undefined when the run has ended, e.g. because it was cancelled.
 */
export async function makeVersion(
  db: Database,
  runId: string,
  settings: VersionSettings,
  startJob: (settings: VersionSettings) => VersionJob,
): Promise<number | undefined> {
  const job = startJob(settings)
  const begun: RunProgress = { stage: 'reading', done: 0, total: 0 }
  const run = watchRun(begun, (progress) => advanceSimilarityRun(db, runId, progress))
  try {
    return await computeVersion(db, runId, settings, job, run)
  } catch (error) {
    if (error instanceof NotRunningError) return undefined
    throw error
  } finally {
    run.stop()
    await job.stop()
  }
}

async function computeVersion(
  db: Database,
  runId: string,
  settings: VersionSettings,
  job: VersionJob,
  { signal, progress }: RunWatch<RunProgress>,
): Promise<number> {
  progress({ stage: 'reading', done: 0, total: 0 })
  const takeEvents = async (page: EventPage) => {
    signal.throwIfAborted()
    await job.takeEvents(page)
  }
  const snapshot = await readLog(db, settings, { ...job, takeEvents })
  const version = await beginVersion(db, runId, snapshot, settings)
  let total = 0
  const onProgress = (done: number, all: number) => {
    total = all
    progress({ stage: 'counting', done, total })
  }
  const counted = await job.count({ signal, onProgress })
  progress({ stage: 'writing', done: total, total })
  for (let from = 0; from < counted.products; from += WRITE_ROWS) {
    signal.throwIfAborted()
    await writeChunk(db, version, await job.chunk(from, Math.min(from + WRITE_ROWS, counted.products)))
  }
  const { medianBest, ...totals } = counted
  await finishVersion(db, version, { ...totals, events: snapshot.events, contentWeight: settings.contentFactor * medianBest })
  await advanceSimilarityRun(db, runId, { stage: 'writing', done: total, total })
  return version
}
