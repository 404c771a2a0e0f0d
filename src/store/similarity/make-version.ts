import type { Content } from '../../ranking/similarity/content.ts'
import type { Matrix } from '../../ranking/similarity/matrix.ts'
import type { VersionSettings } from '../../ranking/similarity/version-settings.ts'
import type { Database } from '../database/connection.ts'
import { type EventPage, type LogConsumer, readLog } from './read-log.ts'
import { advanceSimilarityRun, RunHasEndedError, type RunProgress } from './run-machine.ts'
import { beginVersion, finishVersion, type RowLists, writeProducts, writeRows } from './version-write.ts'

/** Computes the rows of a version from the log that it takes, in threads of its own. */
export interface VersionJob extends LogConsumer {
  /** @throws the reason of the signal. */
  count: (options: { signal: AbortSignal; onProgress: (done: number, total: number) => void }) => Promise<CountedRows>
  /** Products with adjacent numbers. */
  products: (from: number, to: number) => Promise<{ ids: string[]; categories: (string | null)[]; brands: (string | null)[] }>
  /** Ends its threads. */
  stop: () => Promise<void>
}

export interface CountedRows {
  matrix: Matrix
  content: Content
  bought: Matrix
  shoppers: number
  bots: number
}

/** How often a run says how far it is, and learns that it was cancelled. */
const ADVANCE_MS = 500
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
  const run = watchRun(db, runId)
  try {
    return await computeVersion(db, runId, settings, job, run)
  } catch (error) {
    if (error instanceof RunHasEndedError) return undefined
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
  { signal, progress }: RunWatch,
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
  await writeAll(db, version, job, counted, signal)
  const { matrix, shoppers, bots } = counted
  await finishVersion(db, version, {
    products: matrix.products,
    events: snapshot.events,
    pairs: matrix.length.reduce((sum, length) => sum + length, 0),
    ...{ shoppers, bots, contentWeight: settings.contentFactor * matrix.medianBest },
  })
  return version
}

async function writeAll(
  db: Database,
  version: number,
  job: VersionJob,
  counted: CountedRows,
  signal: AbortSignal,
): Promise<void> {
  const { matrix, content, bought } = counted
  for (let first = 0; first < matrix.products; first += WRITE_ROWS) {
    signal.throwIfAborted()
    const last = Math.min(first + WRITE_ROWS, matrix.products)
    const described = await job.products(first, last)
    const [events, baskets] = [matrix, bought].map((counts) => counts.events.subarray(first, last)) as [Int32Array, Int32Array]
    await writeProducts(db, version, { first, ...described, events, baskets })
    await writeRows(db, version, {
      ...{ first, rows: last - first },
      neighbours: { ...listsOf(matrix, matrix.score, first, last), counts: valuesOf(matrix, matrix.count, first, last) },
      content: listsOf(content, content.cosine, first, last),
      bought: listsOf(bought, bought.count, first, last),
    })
  }
}

type Lists = Pick<Matrix, 'neighboursMax' | 'length' | 'neighbour'>

function listsOf(lists: Lists, values: ArrayLike<number>, first: number, last: number): RowLists {
  let end = 0
  return {
    ends: lists.length.slice(first, last).map((length) => (end += length)),
    numbers: valuesOf(lists, lists.neighbour, first, last),
    values: valuesOf(lists, values, first, last),
  }
}

/** The values of the lists of some rows, one list after the other. */
function valuesOf({ neighboursMax, length }: Lists, values: ArrayLike<number>, first: number, last: number): number[] {
  const joined: number[] = []
  for (let row = first; row < last; row++) {
    for (let at = row * neighboursMax; at < row * neighboursMax + length[row]!; at++) joined.push(values[at]!)
  }
  return joined
}

interface RunWatch {
  /** Aborted with RunHasEndedError when the run does not run any more. */
  signal: AbortSignal
  progress: (progress: RunProgress) => void
  stop: () => void
}

/** Writes the progress of a run twice a second, also while nothing changes, so that the run is not taken for lost. */
function watchRun(db: Database, runId: string): RunWatch {
  const ended = new AbortController()
  let latest: RunProgress = { stage: 'reading', done: 0, total: 0 }
  let isWriting = false
  const write = async () => {
    if (isWriting) return
    isWriting = true
    try {
      await advanceSimilarityRun(db, runId, latest)
    } catch (error) {
      // Any other error meets the statements of the work itself.
      if (error instanceof RunHasEndedError) ended.abort(error)
    } finally {
      isWriting = false
    }
  }
  const timer = setInterval(() => void write(), ADVANCE_MS)
  return { signal: ended.signal, progress: (progress) => void (latest = progress), stop: () => clearInterval(timer) }
}
