import { createReadStream } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type CsvForm, csvRows } from './csv.ts'
import { fileProblem } from './file-problem.ts'
import { jsonRows } from './json-lines.ts'
import { linesOf } from './line.ts'
import { type BrokenRow, isBroken, type Row } from './row.ts'
import { StartError } from '../../main/config/start-error.ts'

export type Format = 'csv' | 'jsonl'

/** The format of the files. Absent parts follow from the file's name. */
export interface FileForm {
  format?: Format | undefined
  delimiter?: string | undefined
  columns?: readonly string[] | undefined
  encoding: string
}

/** A file to be imported. */
export interface SourceFile {
  path: string
  /** Size on disk, compressed if the file is. */
  bytes: number
  /** When it was last written. */
  modifiedMs: number
  isCompressed: boolean
  format: Format
  encoding: string
  csv: CsvForm
}

const CHUNK_BYTES = 128 * 1024
const FORMAT_OF_NAME = /\.(?:(csv|tsv)|jsonl|ndjson)(\.gz)?$/i
const SAMPLE_ROWS = 1_000

/** @throws StartError when the file cannot be read, or its name does not show its format. */
export async function sourceFileOf(path: string, form: FileForm): Promise<SourceFile> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileProblem(path, 'read', error)
  })
  if (!found.isFile()) throw new StartError(`${path} is not a file.`)
  await access(path, constants.R_OK).catch((error: unknown) => {
    throw fileProblem(path, 'read', error)
  })
  const name = FORMAT_OF_NAME.exec(path)
  if (form.format === undefined && name === null) {
    throw new StartError(
      `${path} does not end in .csv, .tsv, .jsonl or .ndjson (or these with .gz): give --format csv or --format jsonl.`,
    )
  }
  return {
    path,
    bytes: found.size,
    modifiedMs: Math.floor(found.mtimeMs),
    isCompressed: /\.gz$/i.test(path),
    format: form.format ?? (name![1] === undefined ? 'jsonl' : 'csv'),
    encoding: form.encoding,
    csv: { columns: form.columns, delimiter: form.delimiter ?? (name?.[1]?.toLowerCase() === 'tsv' ? '\t' : ',') },
  }
}

/** The rows of a file, an array per chunk, with the bytes read from disk so far. @throws StartError */
export async function* rowsOf(file: SourceFile): AsyncGenerator<{ rows: (Row | BrokenRow)[]; bytes: number }> {
  const raw = createReadStream(file.path, { highWaterMark: CHUNK_BYTES })
  const bytes = file.isCompressed ? pipeline(raw, createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined) : raw
  const lines = linesOf(bytes, file.encoding)
  try {
    for await (const rows of file.format === 'csv' ? csvRows(lines, file.csv) : jsonRows(lines))
      yield { rows, bytes: raw.bytesRead }
  } catch (error) {
    throw fileProblem(file.path, 'read', error)
  } finally {
    raw.destroy()
  }
}

/** The columns of the first rows; undefined when there is no row. Reads at most 1,000 rows and the chunk around them. @throws StartError */
export async function columnsIn(file: SourceFile): Promise<ReadonlySet<string> | undefined> {
  const columns = new Set<string>()
  let count = 0
  for await (const { rows } of rowsOf(file)) {
    for (const row of rows) if (!isBroken(row)) for (const column of row.columns) columns.add(column)
    count += rows.length
    if (count >= SAMPLE_ROWS || (file.format === 'csv' && columns.size > 0)) break
  }
  return columns.size > 0 ? columns : undefined
}
