import { type BatchSender, createBatchSender } from './batch-sender.ts'
import { checkIngress } from './check.ts'
import type { BatchAnswer, Item } from './mapping/item-kind.ts'
import { isRowRejection } from './mapping/mapping.ts'
import type { MapRecord } from './mapping/row-mapper.ts'
import { addNotes, newNotes, type Notes } from './notes.ts'
import { type ImportPlan, prepareImport } from './plan.ts'
import type { Progress } from './progress.ts'
import { RejectedFile, type RejectedRow } from './rejected-file.ts'
import { type RowReading, rowsToImport } from './rows-to-import.ts'
import { type Row, textOf } from './source/row.ts'
import type { SourceFile } from './source/source-file.ts'
import { InterruptedError, StartError } from '../../main/config/start-error.ts'

/** The outcome of a file: `rows` is accepted + duplicates + stale + rejected. */
export interface Tally {
  path: string
  rows: number
  accepted: number
  duplicates: number
  /** Products that differ from the catalog's version of the same time. */
  stale: number
  rejected: number
  notes: Notes
  /** From the first byte of the file to the last answer. */
  seconds: number
  startedAt: number
}

interface Batch {
  tally: Tally
  rows: Row[]
  items: Item[]
  characters: number
}

/** What the files of one run share. */
interface Run {
  plan: ImportPlan
  mapRecord: MapRecord
  sender: BatchSender<Batch>
  rejectedFile: RejectedFile
  progress: Progress
}

/** A body has at most 16 MiB, and a character at most 6 bytes in JSON. */
const BATCH_CHARACTERS_MAX = 2 * 1024 * 1024

/**
 * Imports files one after the other in constant memory: the number of rows in flight is bounded, and the reader waits for them.
 * Every problem of the files and the rules as such is found before the first row is sent.
 * @throws StartError
 */
export async function runImport(plan: ImportPlan, progress: Progress): Promise<Tally[]> {
  const { files, mapRecord } = await prepareImport(plan)
  await checkIngress(plan.ingressUrl)
  const rejectedFile = new RejectedFile(plan.rejectedPath)
  const onRetry = (reason: string) => progress.stalled(`Restate at ${plan.ingressUrl}: ${reason}`)
  const sender = createBatchSender<Batch>({ ...plan, onRetry }, (batch, answer) => settle(run, batch, answer))
  const run: Run = { plan, mapRecord, sender, rejectedFile, progress }
  const tallies: Tally[] = []
  try {
    await importFiles(files, run, tallies)
    return tallies
  } catch (error) {
    await sender.stop()
    throw stoppedError(error, tallies)
  } finally {
    progress.stop()
    rejectedFile.close()
  }
}

async function importFiles(files: readonly SourceFile[], run: Run, tallies: Tally[]): Promise<void> {
  const bytesTotal = files.reduce((sum, file) => sum + file.bytes, 0)
  let bytesBefore = 0
  let rowsBefore = 0
  for (const file of files) {
    const tally = {
      path: file.path,
      startedAt: performance.now(),
      rows: 0,
      accepted: 0,
      duplicates: 0,
      stale: 0,
      rejected: 0,
      notes: newNotes(),
      seconds: 0,
    }
    tallies.push(tally)
    await importFile(file, tally, run, (bytes) =>
      run.progress.report({ bytes: bytesBefore + bytes, bytesTotal, rows: rowsBefore + settledOf(tally) }),
    )
    bytesBefore += file.bytes
    rowsBefore += tally.rows
  }
  await run.sender.finish()
}

async function importFile(file: SourceFile, tally: Tally, run: Run, onChunk: (bytes: number) => void): Promise<void> {
  let batch = emptyBatch(tally)
  for await (const { rows, bytes } of rowsToImport(file, readingOf(file, run))) {
    run.plan.signal?.throwIfAborted()
    const rejected: RejectedRow[] = []
    for (const record of rows) {
      for (const { row, mapped } of run.mapRecord(record, file)) {
        tally.rows++
        if (isRowRejection(mapped)) {
          rejected.push({ row, ...mapped })
          continue
        }
        addTo(batch, row as Row, mapped)
        if (batch.items.length < run.plan.batchRows && batch.characters <= BATCH_CHARACTERS_MAX) continue
        await run.sender.send(batch)
        batch = emptyBatch(tally)
      }
    }
    reject(run, tally, rejected)
    onChunk(bytes)
  }
  if (batch.items.length > 0) await run.sender.send(batch)
}

/** How a file is read, with what is said while its rows are counted. */
function readingOf(file: SourceFile, { plan, progress }: Run): RowReading {
  return {
    ...plan,
    onCounting: (bytes) => progress.counting({ bytes, bytesTotal: file.bytes }),
    onReading: (sentence) => {
      progress.stop()
      plan.onReading?.(sentence)
    },
  }
}

function emptyBatch(tally: Tally): Batch {
  return { tally, rows: [], items: [], characters: 0 }
}

function addTo(batch: Batch, row: Row, item: Item): void {
  batch.rows.push(row)
  batch.items.push(item)
  for (const value of Object.values(item)) batch.characters += typeof value === 'string' ? value.length : textOf(value).length
}

/** Counts the outcome of a batch. The answer names rows by their index in the batch. */
function settle(run: Run, { tally, rows }: Batch, answer: BatchAnswer): void {
  tally.accepted += answer.accepted
  tally.duplicates += answer.duplicates
  tally.stale += answer.stale?.length ?? 0
  addNotes(tally.notes, answer)
  reject(
    run,
    tally,
    answer.rejected.map(({ index, field, message }) => ({ row: rows[index]!, field, reason: message })),
  )
}

function reject({ rejectedFile, plan }: Run, tally: Tally, rejected: readonly RejectedRow[]): void {
  rejectedFile.add(tally.path, rejected)
  plan.refusals?.add(rejected)
  tally.rejected += rejected.length
  tally.seconds = (performance.now() - tally.startedAt) / 1_000
}

function settledOf({ accepted, duplicates, stale, rejected }: Tally): number {
  return accepted + duplicates + stale + rejected
}

function stoppedError(error: unknown, tallies: readonly Tally[]): unknown {
  const isInterrupted = error instanceof DOMException && error.name === 'AbortError'
  if (!isInterrupted && !(error instanceof StartError)) return error
  const reason = isInterrupted ? 'it was interrupted' : error.message.replace(/\.$/, '')
  const recorded = tallies.reduce((sum, { accepted, duplicates }) => sum + accepted + duplicates, 0)
  const message = `The import stopped: ${reason}. At least ${recorded} rows are recorded; running it again is safe, because they will be duplicates.`
  const wasInterrupted = isInterrupted || error instanceof InterruptedError
  return wasInterrupted ? new InterruptedError(message, { cause: error }) : new StartError(message, { cause: error })
}
