import { accessSync, constants } from 'node:fs'
import { tmpdir } from 'node:os'
import { firstNumberedRowsOf, numberedRowsOf } from './repeats/numbered-rows.ts'
import { folderProblem } from './repeats/partitioned-file.ts'
import type { BrokenRow, Row } from './source/row.ts'
import { rowsOf, type SourceFile } from './source/source-file.ts'

/** How equal rows of a file are understood: as one event, or as an event each. */
export const IDENTICAL_ROWS = ['one', 'separate'] as const
export type IdenticalRows = (typeof IDENTICAL_ROWS)[number]

export interface RowReading {
  /** `one` unless given. */
  identicalRows?: IdenticalRows | undefined
  /** The folder of temporary files; that of the operating system unless given. */
  tempFolder?: string | undefined
  signal?: AbortSignal | undefined
  /** Told how each file is read, before its first row is sent. */
  onReading?: ((sentence: string) => void) | undefined
  /** Told how many bytes of a file are read to count its equal rows. */
  onCounting?: ((bytes: number) => void) | undefined
}

type Rows = AsyncGenerator<{ rows: (Row | BrokenRow)[]; bytes: number }>

/** The rows of a file, with the numbers of equal ones if each is an event of its own. @throws StartError */
export function rowsToImport(
  file: SourceFile,
  reading: RowReading,
): AsyncGenerator<{ rows: (Row | BrokenRow)[]; bytes: number }> {
  if (reading.identicalRows !== 'separate') return rowsOf(file)
  const { tempFolder: folder = tmpdir(), signal, onReading, onCounting } = reading
  const onCounted = (repeats: number) => onReading?.(`${file.path}: ${sentenceOf(repeats)}`)
  return numberedRowsOf(file, { folder, signal, onCounting, onCounted })
}

/** The same rows for a reader that takes only the first ones. It writes nothing. @throws StartError */
export function rowsToPreview(file: SourceFile, { identicalRows }: RowReading): Rows {
  return identicalRows === 'separate' ? firstNumberedRowsOf(file) : rowsOf(file)
}

/** @throws StartError when temporary files are needed and their folder cannot be written. */
export function checkTempFolder({ identicalRows, tempFolder: folder = tmpdir() }: RowReading): void {
  if (identicalRows !== 'separate') return
  try {
    accessSync(folder, constants.W_OK)
  } catch (error) {
    throw folderProblem(folder, error)
  }
}

function sentenceOf(repeats: number): string {
  if (repeats === 0) return 'no row equals an earlier one.'
  const count = repeats.toLocaleString('en')
  return repeats === 1
    ? '1 row equals an earlier one, and is an event of its own unless it has an id.'
    : `${count} rows equal earlier ones, and are events of their own unless they have ids.`
}
