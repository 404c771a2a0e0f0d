import { randomBytes } from 'node:crypto'
import { ArchiveError, type ArchiveStore } from '../../src/external/archive-store.ts'
import { knowsArchive, noteArchived } from '../../src/store/archive/archived-month.ts'
import { archiveIdOf } from '../../src/store/archive/identity.ts'
import { countsOfMonth, type Page, pageOfMonth } from '../../src/store/archive/page.ts'
import { forgetParts, notePart, type Part, partsOf } from '../../src/store/archive/part.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { LogTableName, Month } from '../../src/store/log/month.ts'
import { checkParts } from './check-month.ts'
import { folderOf, type Manifest, measured, readManifest, sumOf, writeManifest } from './manifest.ts'
import { type ArchiveFormat, bytesOfPart } from './part-format.ts'

/** Rows of a statement: about 20 ms of PostgreSQL, and 5 ms of this process. */
const PAGE_ROWS = 500
/** Some 10 MB. A killed archive loses at most the part that it was writing. */
const PART_ROWS = 200_000
/** After so long the step of a task ends with the part, and another one goes on. */
const STEP_MS = 60_000

export interface Archiving {
  db: Database
  store: ArchiveStore
  /** Of new parts. */
  format?: ArchiveFormat
  /** For tests. */
  partRows?: number
  stepMs?: number
}

/**
 * Archives a month of a table of the log that nothing changes any more but erasures: parts in the order of their keys, then the manifest, which is
 * the truth from then on. Then it reads the parts back, and compares the manifest with the month. It can be killed anywhere: another call goes on
 * after the last part, or compares again.
 * @returns whether the month is archived and compared; false when there is more to do.
 * @throws when the archive does not have what the month has.
 */
export async function archiveMonth(archiving: Archiving, table: LogTableName, month: Month): Promise<boolean> {
  const { db, store, stepMs = STEP_MS } = archiving
  const untilMs = performance.now() + stepMs
  if ((await readManifest(store, table, month)) === undefined) {
    const parts = await notedParts(archiving, table, month)
    for (;;) {
      const part = await writePart(archiving, table, month, parts)
      if (part === undefined) break
      parts.push(part)
      if (performance.now() > untilMs) return false
    }
    await writeManifest(store, { database: await archiveIdOf(db), table, month }, parts)
  }
  const { rows, parts } = await compare(archiving, table, month)
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  await db.transaction().execute(async (tx) => {
    await noteArchived(tx, { table, month, rows, bytes, parts: parts.length, place: store.place })
    await forgetParts(tx, table, month)
  })
  return true
}

/** The parts that were written. When one is not in this archive, e.g. because ARCHIVE names another place now, all of them are written again. */
async function notedParts({ db, store }: Archiving, table: LogTableName, month: Month): Promise<Part[]> {
  const parts = await partsOf(db, table, month)
  if (parts.length === 0) return []
  const names = new Set<string>()
  for await (const { name } of store.list(partsPrefixOf(table, month))) names.add(name)
  if (parts.every(({ name }) => names.has(name))) return parts
  await forgetParts(db, table, month)
  return []
}

const partsPrefixOf = (table: LogTableName, month: Month) => `${folderOf(table, month)}part-`

/** Writes the next part; undefined when there are no rows after the last one. */
async function writePart(
  { db, store, format = 'jsonl.gz', partRows = PART_ROWS }: Archiving,
  table: LogTableName,
  month: Month,
  parts: readonly Part[],
): Promise<Part | undefined> {
  const next = (after: string | null, rowsMax: number) => pageOfMonth(db, table, month, after, Math.min(PAGE_ROWS, rowsMax))
  const last = parts.at(-1)
  const first = await next(last === undefined ? null : JSON.stringify(last.last_key), partRows)
  if (first === undefined) return undefined
  const no = parts.length
  // Each attempt writes an object of its own, so that one that was thought dead changes no part of a manifest.
  const name = `${partsPrefixOf(table, month)}${String(no).padStart(5, '0')}-${randomBytes(4).toString('hex')}.${format}`
  let rows = 0
  let lastKey = first.lastKey
  const counts: Record<string, number>[] = []
  const pages = async function* () {
    for (
      let page: Page | undefined = first;
      page !== undefined;
      page = rows < partRows ? await next(lastKey, partRows - rows) : undefined
    ) {
      rows += page.rows.length
      lastKey = page.lastKey
      counts.push(countsOf(page))
      yield page.rows
    }
  }
  const { chunks, result } = measured(bytesOfPart(pages(), table, format))
  await store.put(name, chunks)
  const keys = { first_key: keyOf(first.firstKey), last_key: keyOf(lastKey) }
  const part: Part = { name, rows, ...result(), ...keys, counts: sumOf(counts) }
  if (await notePart(db, table, month, no, part)) return part
  throw new Error(`another process archives ${table} ${month}`)
}

const keyOf = (json: string) => JSON.parse(json) as Part['first_key']

function countsOf({ rows }: Page): Record<string, number> {
  const counts = new Map<string, number>()
  for (const { countedBy } of rows) counts.set(countedBy, (counts.get(countedBy) ?? 0) + 1)
  return Object.fromEntries(counts)
}

/** @returns the manifest. @throws unless the parts are what it says, and it has as many rows of each type as the month. */
async function compare({ db, store }: Archiving, table: LogTableName, month: Month): Promise<Manifest> {
  const manifest = await readManifest(store, table, month)
  if (manifest === undefined)
    throw new Error(`${store.place} has no manifest of ${table} ${month} yet: another process writes it`)
  if (manifest.database !== (await archiveIdOf(db)))
    throw new ArchiveError(
      `another database has archived ${table} ${month} in ${store.place}: give each a place of its own; the month is not dropped`,
    )
  if (manifest.rows > 0 && !(await knowsArchive(db, table, month)))
    throw new ArchiveError(
      `${table} ${month} was archived in ${store.place} by a later state of this database, whose keys of shoppers went with a restore: move ${folderOf(table, month)} aside, so that it is archived again; the month is not dropped`,
    )
  await checkParts(store, manifest)
  const [archived, stored] = [manifest.counts, await countsOfMonth(db, table, month)].map((counts) =>
    JSON.stringify(sumOf([counts])),
  )
  if (archived !== stored)
    throw new Error(
      `the archive of ${table} ${month} in ${store.place} has ${archived}, and the log has ${stored}: the month is not dropped`,
    )
  await removeLeftovers(store, table, month, new Set(manifest.parts.map(({ name }) => name)))
  return manifest
}

/** Parts of attempts that were killed. */
async function removeLeftovers(store: ArchiveStore, table: LogTableName, month: Month, kept: ReadonlySet<string>): Promise<void> {
  for await (const { name } of store.list(partsPrefixOf(table, month))) if (!kept.has(name)) await store.remove(name)
}
