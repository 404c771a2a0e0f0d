import { access, constants, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type CsvForm, csvRows, hasComment, namedDelimiter, type Ragged } from './csv.ts'
import { delimiterIn } from './dialect.ts'
import { encodingOf } from './encoding.ts'
import { fileProblem } from './file-problem.ts'
import { isParquet } from './file-type.ts'
import { jsonRows } from './json-lines.ts'
import { isJsonObject } from './json-record.ts'
import { jsonValueRows } from './json-values.ts'
import { type Line, linesIn, linesOf } from './line.ts'
import { parquetRows } from './parquet-rows.ts'
import type { BrokenRow, Row } from './row.ts'
import { bytesOf, type Sample, sampleOf } from './sample.ts'
import { type ParquetFile, parquetFileOf } from '../parquet/file.ts'
import { StartError } from '../../../main/config/start-error.ts'

export type Format = 'csv' | 'json'

/** What is known about the files. Absent parts follow from their names and first bytes. */
export interface FileForm {
  format?: Format | undefined
  delimiter?: string | undefined
  columns?: readonly string[] | undefined
  encoding?: string | undefined
  ragged?: Ragged | undefined
  /** Lines of CSV before the header row. */
  skip?: number | undefined
}

/** How the records of a text are written: rows of CSV, JSON with a line per record, or JSON values over any number of lines. */
export type TextLayout = { is: 'csv'; csv: CsvForm; hasComment: boolean } | { is: 'json lines' } | { is: 'json values' }
export type Layout = TextLayout | { is: 'parquet'; parquet: ParquetFile }

/** A file to be imported. */
export interface SourceFile {
  path: string
  /** Size on disk, compressed if the file is. */
  bytes: number
  /** When it was last written. */
  modifiedMs: number
  isCompressed: boolean
  encoding: string
  /** What speaks against the encoding. */
  note?: string
  layout: Layout
}

const CSV_NAME = /\.(?:csv|tsv|tab|psv)(?:\.gz)?$/i
const JSON_NAME = /\.(?:json|jsonl|ndjson)(?:\.gz)?$/i

const READ_AGAIN = 'because a file is read more than once: write the rows to a file first.'

/** A file with what its first 64 KiB show. @throws StartError when it cannot be read, or is no text. */
export async function sourceFileOf(path: string, form: FileForm): Promise<SourceFile> {
  if (path === '-') throw new StartError(`Standard input cannot be imported, ${READ_AGAIN}`)
  const found = await stat(path).catch((error: unknown) => {
    throw fileProblem(path, 'read', error)
  })
  if (found.isDirectory()) throw new StartError(`${path} is a folder: name its files, e.g. ${join(path, '*.csv')}`)
  if (!found.isFile()) throw new StartError(`${path} is not a regular file and cannot be imported, ${READ_AGAIN}`)
  await access(path, constants.R_OK).catch((error: unknown) => {
    throw fileProblem(path, 'read', error)
  })
  const sample = await sampleOf(path)
  const facts = { path, bytes: found.size, modifiedMs: Math.floor(found.mtimeMs), isCompressed: sample.isCompressed }
  if (isParquet(sample.bytes)) return { ...facts, encoding: 'utf-8', layout: { is: 'parquet', parquet: await parquetOf(path) } }
  const text = encodingOf(sample.bytes, form.encoding)
  if ('problem' in text) throw new StartError(`${path} ${text.problem}.`)
  const { encoding, note } = text
  const layout = layoutOf(path, linesOfSample(sample, encoding), form)
  return { ...facts, encoding, ...(note !== undefined && { note }), layout }
}

async function parquetOf(path: string): Promise<ParquetFile> {
  return parquetFileOf(path).catch((error: unknown) => {
    throw fileProblem(path, 'read', error)
  })
}

/** The rows of a file, an array per chunk, with the bytes read from disk so far. @throws StartError */
export async function* rowsOf(file: SourceFile): AsyncGenerator<{ rows: (Row | BrokenRow)[]; bytes: number }> {
  const { layout } = file
  try {
    if (layout.is === 'parquet') yield* parquetRows(layout.parquet)
    else yield* textRows(file, layout)
  } catch (error) {
    throw fileProblem(file.path, 'read', error)
  }
}

async function* textRows(file: SourceFile, layout: TextLayout): AsyncGenerator<{ rows: (Row | BrokenRow)[]; bytes: number }> {
  const { raw, bytes } = bytesOf(file)
  try {
    for await (const rows of rowsIn(bytes, layout, file.encoding)) yield { rows, bytes: raw.bytesRead }
  } finally {
    raw.destroy()
  }
}

function rowsIn(bytes: AsyncIterable<Uint8Array>, layout: TextLayout, encoding: string): AsyncGenerator<(Row | BrokenRow)[]> {
  if (layout.is === 'csv') return csvRows(linesOf(bytes, encoding), layout.csv)
  return layout.is === 'json lines' ? jsonRows(linesOf(bytes, encoding)) : jsonValueRows(bytes, encoding)
}

/** The lines of a sample, without a last line that is cut. */
function linesOfSample({ bytes, isWhole }: Sample, encoding: string): Line[] {
  const lines = linesIn(new TextDecoder(encoding).decode(bytes, { stream: !isWhole }))
  return isWhole || lines.length === 1 ? lines : lines.slice(0, -1)
}

function layoutOf(path: string, lines: readonly Line[], form: FileForm): TextLayout {
  const first = (lines.find(({ text }) => text.trim() !== '')?.text ?? '').replace('\u001E', '').trim()
  if ((form.format ?? formatOf(path, first, lines)) === 'csv')
    return { is: 'csv', csv: csvFormOf(path, lines, form), hasComment: hasComment(lines, form.skip) }
  return { is: /^[{[]/.test(first) && !isJsonObject(first) ? 'json values' : 'json lines' }
}

/** The format by the name, unless the content is clearly of the other one. */
function formatOf(path: string, first: string, lines: readonly Line[]): Format {
  if (JSON_NAME.test(path)) return /^[{[]/.test(first) || delimiterIn(lines, {}) === undefined ? 'json' : 'csv'
  // A header row may begin with a bracket: [id],[name]
  const json = CSV_NAME.test(path) ? /^(?:\{|\[\s*(?:\{|$))/ : /^[{[]/
  return json.test(first) ? 'json' : 'csv'
}

function csvFormOf(path: string, lines: readonly Line[], { delimiter, columns, ragged, skip }: FileForm): CsvForm {
  const found = delimiter ?? namedDelimiter(lines) ?? delimiterIn(lines, { columns, skip })
  return { columns, ragged, skip, delimiter: found ?? (/\.(?:tsv|tab)(?:\.gz)?$/i.test(path) ? '\t' : ',') }
}
