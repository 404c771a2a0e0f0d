import { createOccurrenceCounter, type Occurrences, type RowHash, ROWS_MAX } from './occurrences.ts'
import { type BrokenRow, eventIdOf, isBroken, type Row } from '../source/row.ts'
import { rowsOf, type SourceFile } from '../source/source-file.ts'
import { StartError } from '../../../main/config/start-error.ts'

export interface Numbering {
  /** The folder of temporary files. */
  folder: string
  signal?: AbortSignal | undefined
  /** Told how many bytes are read so far to count rows. */
  onCounting?: ((bytes: number) => void) | undefined
  /** Told how many rows equal an earlier row, before the first row. */
  onCounted?: ((repeats: number) => void) | undefined
}

/**
 * The rows of a file, each of which knows how many equal rows it follows. The file is read twice, because a row's number must not
 * depend on what an earlier import has recorded. @throws StartError
 */
export async function* numberedRowsOf(
  file: SourceFile,
  numbering: Numbering,
): AsyncGenerator<{ rows: (Row | BrokenRow)[]; bytes: number }> {
  const occurrences = await countRows(file, numbering)
  try {
    numbering.onCounted?.(occurrences.repeats)
    let count = 0
    for await (const { rows, bytes } of rowsOf(file)) {
      yield { rows: rows.map((row) => (isBroken(row) ? row : numbered(row, occurrences, file))), bytes }
      count += rows.filter((row) => !isBroken(row)).length
    }
    if (count !== occurrences.rows) throw changedError(file)
  } finally {
    occurrences.close()
  }
}

/** The same rows for a reader that takes only the first ones, because their numbers are in memory. @throws StartError */
export async function* firstNumberedRowsOf(file: SourceFile): AsyncGenerator<{ rows: (Row | BrokenRow)[]; bytes: number }> {
  const counts = new Map<string, number>()
  for await (const { rows, bytes } of rowsOf(file)) {
    const numberedRows = rows.map((row) => {
      if (isBroken(row)) return row
      const id = eventIdOf(row)
      const occurrence = (counts.get(id) ?? 0) + 1
      counts.set(id, occurrence)
      return withOccurrence(row, occurrence)
    })
    yield { rows: numberedRows, bytes }
  }
}

async function countRows(file: SourceFile, { folder, signal, onCounting }: Numbering): Promise<Occurrences> {
  const counter = createOccurrenceCounter(folder)
  try {
    let count = 0
    for await (const { rows, bytes } of rowsOf(file)) {
      signal?.throwIfAborted()
      count += rows.length
      if (count > ROWS_MAX) throw new StartError(`${file.path} has more than ${ROWS_MAX} rows: split it.`)
      for (const row of rows) if (!isBroken(row)) counter.add(hashOf(row))
      onCounting?.(bytes)
    }
    return await counter.finish(signal)
  } catch (error) {
    counter.close()
    throw error
  }
}

function numbered(row: Row, occurrences: Occurrences, file: SourceFile): Row {
  const occurrence = occurrences.next(() => hashOf(row))
  if (occurrence === undefined) throw changedError(file)
  return withOccurrence(row, occurrence)
}

function withOccurrence(row: Row, occurrence: number): Row {
  return occurrence === 1 ? row : { ...row, occurrence }
}

/** The parts of the id of a row's content that have neither its version nor its variant. */
function hashOf(row: Row): RowHash {
  const id = eventIdOf(row)
  return [wordOf(id.slice(0, 8)), wordOf(id.slice(24, 32)), wordOf(id.slice(9, 13) + id.slice(32))]
}

function wordOf(hex: string): number {
  return Number.parseInt(hex, 16)
}

function changedError({ path }: SourceFile): StartError {
  return new StartError(`${path} changed while it was read: import it when it is complete`)
}
