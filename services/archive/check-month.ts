import { ArchiveError, type ArchiveStore } from '../../src/external/archive-store.ts'
import { type Manifest, measured, type PartOfManifest } from './manifest.ts'
import { linesOfPart, rowCountsOfPart } from './part-format.ts'

/** Lines that are restored at a time: about 6 ms of this process. */
const LINES_MAX = 250

/** Reads every part of a month. @throws unless each has the bytes and the rows that the manifest says. */
export async function checkParts(store: ArchiveStore, manifest: Manifest): Promise<void> {
  let rows = 0
  for (const part of manifest.parts) rows += await checkPart(store, manifest, part)
  const counted = Object.values(manifest.counts).reduce((sum, count) => sum + count, 0)
  if (rows !== manifest.rows || counted !== manifest.rows)
    throw new ArchiveError(
      `the manifest of ${manifest.table} ${manifest.month} in ${store.place} says ${manifest.rows} rows, and the parts have ${rows}`,
    )
}

/** Reads a part. @returns its rows. @throws unless it has the bytes and the rows that the manifest says. */
export async function checkPart(store: ArchiveStore, { table }: Manifest, part: PartOfManifest): Promise<number> {
  let rows = 0
  const counts = readPart(store, part, (bytes) => rowCountsOfPart(bytes, { table, name: part.name }), Number)
  for await (const count of counts) rows += count
  return rows
}

/** The lines of a part. @throws at its end unless it has the bytes and the rows that the manifest says. */
export function linesOf(store: ArchiveStore, { table }: Manifest, part: PartOfManifest): AsyncGenerator<string[]> {
  return readPart(
    store,
    part,
    (bytes) => linesOfPart(bytes, { table, name: part.name }, LINES_MAX),
    (lines) => lines.length,
  )
}

async function* readPart<T>(
  store: ArchiveStore,
  part: PartOfManifest,
  decode: (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<T>,
  rowsOf: (some: T) => number,
): AsyncGenerator<T> {
  const stored = await store.read(part.name)
  if (stored === undefined) throw new ArchiveError(`${part.name} is missing in ${store.place}`)
  const { chunks, result } = measured(stored)
  let rows = 0
  try {
    for await (const some of decode(chunks)) {
      rows += rowsOf(some)
      yield some
    }
  } catch (cause) {
    // The archive cannot be used, which says nothing about the part.
    if (cause instanceof ArchiveError) throw cause
    throw new ArchiveError(
      `${part.name} in ${store.place} is damaged, and cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    )
  }
  const { bytes, sha256 } = result()
  if (sha256 !== part.sha256 || bytes !== part.bytes || rows !== part.rows)
    throw new ArchiveError(
      `${part.name} in ${store.place} is damaged, or was changed: it has ${bytes} bytes, ${rows} rows and the SHA-256 ${sha256}`,
    )
}
