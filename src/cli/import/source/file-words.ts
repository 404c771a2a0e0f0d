import { codecsOf } from '../parquet/file.ts'
import type { SourceFile } from './source-file.ts'

const LAYOUTS = { 'json lines': 'JSON lines', 'json values': 'JSON values' }
const DELIMITERS: Readonly<Record<string, string>> = {
  '\t': 'tabs',
  ',': 'commas',
  ';': 'semicolons',
  '|': 'vertical bars',
  ' ': 'blanks',
}

/** How a file is read, in a line: `shop.csv is read as CSV with semicolons between cells, in utf-8, compressed with gzip.` */
export function readingOf({ path, layout, encoding, note, isCompressed }: SourceFile): string {
  if (layout.is === 'parquet') return `${path} is read as Parquet${compressionWords(codecsOf(layout.parquet))}.`
  const form = layout.is === 'csv' ? `CSV with ${delimiterWords(layout.csv.delimiter)} between cells` : LAYOUTS[layout.is]
  return `${path} is read as ${form}, in ${encoding}${note === undefined ? '' : `, ${note}`}${isCompressed ? ', compressed with gzip' : ''}.`
}

function compressionWords(codecs: readonly string[]): string {
  return codecs.length === 0 ? '' : `, compressed with ${codecs.join(' and ')}`
}

function delimiterWords(delimiter: string): string {
  return DELIMITERS[delimiter] ?? JSON.stringify(delimiter)
}
