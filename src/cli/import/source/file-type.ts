/** The first bytes of a kind of file that is no text, and what its owner can do. */
interface BinaryType {
  noun: string
  magic: string | readonly number[]
  at?: number
  /** Whether a text may begin so, too. Such a file has zero bytes, and a text has none. */
  isWord?: boolean
  advice: string
}

const GZIP = [0x1f, 0x8b]
const PARQUET = Buffer.from('PAR1')
const WORKBOOK = 'save the sheet as "CSV UTF-8" and import that file'
/** Zip archives have the names of their files; the names in workbooks are these. */
const WORKBOOK_NAMES = /xl\/|\[Content_Types\]\.xml|opendocument\.spreadsheet/

const TYPES: readonly BinaryType[] = [
  { noun: 'a zip archive', magic: 'PK\u0003\u0004', advice: 'unpack it with unzip and import the files in it' },
  { noun: 'an empty zip archive', magic: 'PK\u0005\u0006', advice: 'there is nothing to import in it' },
  { noun: 'a file of Excel 97', magic: [0xd0, 0xcf, 0x11, 0xe0], advice: WORKBOOK },
  { noun: 'a 7z archive', magic: [0x37, 0x7a, 0xbc, 0xaf], advice: 'unpack it with 7z x and import the files in it' },
  { noun: 'a rar archive', magic: 'Rar!', advice: 'unpack it and import the files in it' },
  { noun: 'a tar archive', magic: 'ustar', at: 257, advice: 'unpack it with tar xf and import the files in it' },
  { noun: 'compressed with bzip2', magic: '1AY&SY', at: 4, advice: 'decompress it with bunzip2, or compress it with gzip' },
  {
    noun: 'compressed with xz',
    magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a],
    advice: 'decompress it with unxz, or compress it with gzip',
  },
  {
    noun: 'compressed with zstd',
    magic: [0x28, 0xb5, 0x2f, 0xfd],
    advice: 'decompress it with zstd -d, or compress it with gzip',
  },
  { noun: 'compressed with lz4', magic: [0x04, 0x22, 0x4d, 0x18], advice: 'decompress it with lz4 -d, or compress it with gzip' },
  { noun: 'an encrypted Parquet file', magic: 'PARE', isWord: true, advice: 'write it without encryption' },
  { noun: 'an Avro file', magic: 'Obj\u0001', advice: 'export it as CSV or JSON lines' },
  { noun: 'an ORC file', magic: 'ORC', isWord: true, advice: 'export it as CSV or JSON lines' },
  { noun: 'an SQLite database', magic: 'SQLite format 3', advice: 'export its table as CSV' },
  { noun: 'a PDF', magic: '%PDF-', advice: 'export the data as CSV' },
]
/** A page of a browser, e.g. of a login, and the XML of Excel 2003, also after a byte order mark, as Latin-1 shows it. */
const MARKUP = /^(?:\u00EF\u00BB\u00BF)?\s*<(?:!doctype html|html|\?xml|table)/i

export function isGzip(start: Uint8Array): boolean {
  return startsWith(start, GZIP, 0)
}

/** A header row may begin with these letters too, but a text has no zero bytes, and not only these letters. */
export function isParquet(start: Uint8Array): boolean {
  return startsWith(start, PARQUET, 0) && (start.includes(0) || start.length === PARQUET.length)
}

/**
 * What a file is that is no text: `a zip archive: unpack it …`; undefined for a text. The start needs at least 512 bytes to show
 * everything.
 */
export function binaryTypeOf(start: Uint8Array): string | undefined {
  const type = TYPES.find(({ magic, at = 0, isWord = false }) => {
    const bytes = typeof magic === 'string' ? Buffer.from(magic) : magic
    return startsWith(start, bytes, at) && (!isWord || start.includes(0))
  })
  if (type?.noun === 'a zip archive' && WORKBOOK_NAMES.test(latin1(start))) return `a workbook of a spreadsheet: ${WORKBOOK}`
  if (type !== undefined) return `${type.noun}: ${type.advice}`
  if (isGzip(start)) return 'compressed twice with gzip: decompress it with gunzip first'
  return MARKUP.test(latin1(start)) ? 'a file of HTML or XML: export the data as CSV or JSON' : undefined
}

function startsWith(start: Uint8Array, magic: ArrayLike<number>, at: number): boolean {
  return Array.from(magic).every((byte, index) => start[at + index] === byte)
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
