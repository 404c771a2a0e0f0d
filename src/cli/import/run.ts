import { resolve } from 'node:path'
import { type BatchSender, createBatchSender } from './batch-sender.ts'
import { checkIngress, checkRules } from './check.ts'
import type { TimeReading } from './instant.ts'
import type { BatchAnswer, Item, ItemKind } from './item-kind.ts'
import { isRowRejection, type Mapping, mappingOf, mapRow, type RowRejection } from './mapping.ts'
import type { Progress } from './progress.ts'
import { RejectedFile, type RejectedRow } from './rejected-file.ts'
import { isBroken, type Row, textOf } from './row.ts'
import { type Rule, type ValueMaps, withDefaults } from './rule.ts'
import { type FileForm, rowsOf, type SourceFile, sourceFileOf } from './source-file.ts'
import { StartError } from '../../main/config/start-error.ts'

export interface ImportPlan {
  /** What the rows become. */
  kind: ItemKind
  paths: readonly string[]
  form: FileForm
  rules: readonly Rule[]
  values: ValueMaps
  time: TimeReading
  /** Whether a column that a file does not have is read as empty. */
  mayMissColumns: boolean
  ingressUrl: string
  /** Rows per call, at most 10,000. */
  batchRows: number
  inFlightMax: number
  patienceMs: number
  rejectedPath: string
  signal?: AbortSignal | undefined
}

/** The outcome of a file: `rows` is accepted + duplicates + rejected. */
export interface Tally {
  path: string
  rows: number
  accepted: number
  duplicates: number
  rejected: number
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
  mapping: Mapping
  sender: BatchSender<Batch>
  rejectedFile: RejectedFile
}

/** A body has at most 16 MiB, and a character at most 6 bytes in JSON. */
const BATCH_CHARACTERS_MAX = 2 * 1024 * 1024

/**
 * Imports files one after the other in constant memory: the number of rows in flight is bounded, and the reader waits for them.
 * Every problem of the files and the rules as such is found before the first row is sent.
 * @throws StartError
 */
export async function runImport(plan: ImportPlan, progress: Progress): Promise<Tally[]> {
  const files = await Promise.all(plan.paths.map((path) => sourceFileOf(path, plan.form)))
  checkRejectedPath(plan)
  const columns = await checkRules(files, plan)
  await checkIngress(plan.ingressUrl)
  const rejectedFile = new RejectedFile(plan.rejectedPath)
  const onRetry = (reason: string) => progress.stalled(`Restate at ${plan.ingressUrl}: ${reason}`)
  const sender = createBatchSender<Batch>({ ...plan, onRetry }, (batch, answer) => settle(rejectedFile, batch, answer))
  const mapping = mappingOf(withDefaults(plan.rules, columns, plan.kind), plan)
  const run: Run = { plan, mapping, sender, rejectedFile }
  const tallies: Tally[] = []
  try {
    await importFiles(files, run, tallies, progress)
    return tallies
  } catch (error) {
    await sender.stop()
    throw stoppedError(error, tallies)
  } finally {
    progress.stop()
    rejectedFile.close()
  }
}

async function importFiles(files: readonly SourceFile[], run: Run, tallies: Tally[], progress: Progress): Promise<void> {
  const bytesTotal = files.reduce((sum, file) => sum + file.bytes, 0)
  let bytesBefore = 0
  let rowsBefore = 0
  for (const file of files) {
    const tally = { path: file.path, startedAt: performance.now(), rows: 0, accepted: 0, duplicates: 0, rejected: 0, seconds: 0 }
    tallies.push(tally)
    await importFile(file, tally, run, (bytes) =>
      progress.report({ bytes: bytesBefore + bytes, bytesTotal, rows: rowsBefore + settledOf(tally) }),
    )
    bytesBefore += file.bytes
    rowsBefore += tally.rows
  }
  await run.sender.finish()
}

async function importFile(file: SourceFile, tally: Tally, run: Run, onChunk: (bytes: number) => void): Promise<void> {
  let batch = emptyBatch(tally)
  for await (const { rows, bytes } of rowsOf(file)) {
    run.plan.signal?.throwIfAborted()
    const rejected: RejectedRow[] = []
    for (const row of rows) {
      tally.rows++
      const mapped = isBroken(row) ? { field: null, reason: row.reason } : mapRow(row, run.mapping, file)
      if (isBroken(row) || isRowRejection(mapped)) {
        rejected.push({ row, ...(mapped as RowRejection) })
      } else {
        addTo(batch, row, mapped)
        if (batch.items.length === run.plan.batchRows || batch.characters > BATCH_CHARACTERS_MAX) {
          await run.sender.send(batch)
          batch = emptyBatch(tally)
        }
      }
    }
    reject(run.rejectedFile, tally, rejected)
    onChunk(bytes)
  }
  if (batch.items.length > 0) await run.sender.send(batch)
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
function settle(rejectedFile: RejectedFile, { tally, rows }: Batch, answer: BatchAnswer): void {
  tally.accepted += answer.accepted
  tally.duplicates += answer.duplicates
  reject(
    rejectedFile,
    tally,
    answer.rejected.map(({ index, field, message }) => ({ row: rows[index]!, field, reason: message })),
  )
}

function reject(rejectedFile: RejectedFile, tally: Tally, rejected: readonly RejectedRow[]): void {
  rejectedFile.add(tally.path, rejected)
  tally.rejected += rejected.length
  tally.seconds = (performance.now() - tally.startedAt) / 1_000
}

function settledOf({ accepted, duplicates, rejected }: Tally): number {
  return accepted + duplicates + rejected
}

function stoppedError(error: unknown, tallies: readonly Tally[]): unknown {
  const isInterrupted = error instanceof DOMException && error.name === 'AbortError'
  if (!isInterrupted && !(error instanceof StartError)) return error
  const reason = isInterrupted ? 'it was interrupted' : error.message.replace(/\.$/, '')
  const recorded = tallies.reduce((sum, { accepted, duplicates }) => sum + accepted + duplicates, 0)
  return new StartError(
    `The import stopped: ${reason}. At least ${recorded} rows are recorded; running it again is safe, because they will be duplicates.`,
    { cause: error },
  )
}

/** The file of rejected rows is overwritten, so it must not be an input. */
function checkRejectedPath({ paths, rejectedPath }: ImportPlan): void {
  if (paths.some((path) => resolve(path) === resolve(rejectedPath))) {
    throw new StartError(`--rejected ${rejectedPath} is also a file to import: give another name.`)
  }
}
