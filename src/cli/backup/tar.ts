import { createReadStream } from 'node:fs'

/** What a tar archive says of a file, folder or link. */
export interface TarEntry {
  name: string
  type: 'file' | 'folder' | 'link'
  bytes: number
}

/** Takes the content of an entry. */
export interface EntrySink {
  data: (bytes: Buffer) => void
  end: () => void
}

export interface TarWatch {
  /** Bytes of the archive, in their order. */
  onBytes?: (bytes: Buffer) => void
}

const BLOCK = 512
const READ_BYTES = 1024 * 1024
const TYPES: Record<string, TarEntry['type']> = { '0': 'file', '\0': 'file', '5': 'folder', '2': 'link' }

/** The archive is not one that PostgreSQL writes. */
export class TarError extends Error {}

/** Reads an archive as PostgreSQL writes it (ustar with names of less than 100 bytes). @throws TarError when it is cut off or damaged. */
export async function readTar(path: string, open: (entry: TarEntry) => EntrySink, { onBytes }: TarWatch = {}): Promise<void> {
  const reader = createReader(open)
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
    onBytes?.(chunk)
    reader.take(chunk)
  }
  reader.finish()
}

function createReader(open: (entry: TarEntry) => EntrySink) {
  let rest = Buffer.alloc(0)
  let sink: EntrySink | undefined
  let contentLeft = 0
  let paddingLeft = 0
  let isEnded = false

  /** @returns how many bytes it used; 0 when it needs more. */
  const step = (bytes: Buffer): number => {
    if (contentLeft > 0) {
      const part = bytes.subarray(0, contentLeft)
      sink!.data(part)
      contentLeft -= part.length
      return part.length
    }
    if (sink !== undefined) {
      sink.end()
      sink = undefined
    }
    if (paddingLeft > 0) {
      const skipped = Math.min(paddingLeft, bytes.length)
      paddingLeft -= skipped
      return skipped
    }
    if (bytes.length < BLOCK) return 0
    const header = bytes.subarray(0, BLOCK)
    if (isEnded || header.every((byte) => byte === 0)) isEnded = true
    else {
      const entry = entryOf(header)
      sink = open(entry)
      contentLeft = entry.bytes
      paddingLeft = (BLOCK - (entry.bytes % BLOCK)) % BLOCK
    }
    return BLOCK
  }

  return {
    take: (chunk: Buffer) => {
      let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (let used = -1; used !== 0 && bytes.length > 0; bytes = bytes.subarray(used)) used = step(bytes)
      rest = Buffer.from(bytes)
    },
    finish: () => {
      if (contentLeft + paddingLeft > 0 || !isEnded) throw new TarError('the archive is cut off')
    },
  }
}

function entryOf(header: Buffer): TarEntry {
  let sum = 8 * 0x20
  for (const [place, byte] of header.entries()) if (place < 148 || place >= 156) sum += byte
  if (sum !== octal(header, 148, 8)) throw new TarError('a header of the archive is damaged')
  const type = TYPES[String.fromCharCode(header[156]!)]
  if (type === undefined) throw new TarError(`the archive has an entry of an unknown type`)
  const name = text(header, 0, 100).replace(/^\.\//, '').replace(/\/$/, '')
  if (name.startsWith('/') || name.split('/').includes('..')) throw new TarError(`the archive has the name ${name}`)
  return { name, type, bytes: type === 'file' ? octal(header, 124, 12) : 0 }
}

function text(header: Buffer, from: number, length: number): string {
  const field = header.subarray(from, from + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? length : end)
}

/** Sizes of 8 GiB and more are binary. */
function octal(header: Buffer, from: number, length: number): number {
  if ((header[from]! & 0x80) !== 0) return Number(header.readBigUInt64BE(from + length - 8))
  return Number.parseInt(text(header, from, length).trim() || '0', 8)
}
