import type { ArchiveStore } from '../../src/external/archive-store.ts'
import { type Manifest, measured, type PartOfManifest } from './manifest.ts'
import { linesOfPart } from './part-format.ts'

/** Lines that are read at a time: about 5 ms of this process. */
const LINES_MAX = 1_000

/** Reads every part of a month. @throws unless each has the bytes and the rows that the manifest says. */
export async function checkParts(store: ArchiveStore, manifest: Manifest): Promise<void> {
  let rows = 0
  for (const part of manifest.parts) {
    for await (const lines of linesOf(store, manifest, part)) rows += lines.length
  }
  const counted = Object.values(manifest.counts).reduce((sum, count) => sum + count, 0)
  if (rows !== manifest.rows || counted !== manifest.rows)
    throw new Error(
      `the manifest of ${manifest.table} ${manifest.month} in ${store.place} says ${manifest.rows} rows, and the parts have ${rows}`,
    )
}

/** The lines of a part. @throws at its end unless it has the bytes and the rows that the manifest says. */
export async function* linesOf(store: ArchiveStore, { table }: Manifest, part: PartOfManifest): AsyncGenerator<string[]> {
  const stored = await store.read(part.name)
  if (stored === undefined) throw new Error(`${part.name} is missing in ${store.place}`)
  const { chunks, result } = measured(stored)
  let rows = 0
  try {
    for await (const lines of linesOfPart(chunks, { table, name: part.name }, LINES_MAX)) {
      rows += lines.length
      yield lines
    }
  } catch (cause) {
    throw new Error(`${part.name} in ${store.place} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
  const { bytes, sha256 } = result()
  if (sha256 !== part.sha256 || bytes !== part.bytes || rows !== part.rows)
    throw new Error(`${part.name} in ${store.place} was changed: it has ${bytes} bytes, ${rows} rows and the SHA-256 ${sha256}`)
}
