import { createHash } from 'node:crypto'
import { z } from 'zod'
import { plainMessage } from '../../src/contract/fields/zod-messages.ts'
import { ArchiveError, type ArchiveStore, readSmall } from '../../src/external/archive-store.ts'
import { LOG_TABLES, type LogTableName, type Month } from '../../src/store/log/month.ts'

const BYTES_MAX = 16 * 1024 * 1024
/** Of the form of the archived rows. */
const VERSION = 1

const Counts = z.record(z.string(), z.int().min(1))
const Key = z.array(z.union([z.string(), z.int()]))

const PartOfManifest = z.object({
  name: z.string(),
  rows: z.int().min(1),
  bytes: z.int().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  first_key: Key,
  last_key: Key,
})
export type PartOfManifest = z.infer<typeof PartOfManifest>

/** What an archived month of a table of the log consists of. It is written last, and a month without it is not archived. */
export const Manifest = z.object({
  version: z.literal(VERSION, {
    error: ({ input }) => (typeof input === 'number' && input > VERSION ? 'is of a later release' : undefined),
  }),
  /** The id of the database that archived it. */
  database: z.uuid(),
  table: z.enum(LOG_TABLES as [LogTableName, ...LogTableName[]]),
  month: z.string().regex(/^\d{4}-\d{2}$/),
  rows: z.int().min(0),
  /** Rows by type of event. */
  counts: Counts,
  first_key: Key.nullable(),
  last_key: Key.nullable(),
  parts: z.array(PartOfManifest),
})
export type Manifest = z.infer<typeof Manifest>

/** Where the months of the log are in an archive. */
const LOG_PREFIX = 'log/'

export function folderOf(table: LogTableName, month: Month): string {
  return `${LOG_PREFIX}${table}/${month}/`
}

export const MANIFEST = 'manifest.json'

/** The manifest of a month; undefined when the month is not archived. @throws when it cannot be read. */
export async function readManifest(store: ArchiveStore, table: LogTableName, month: Month): Promise<Manifest | undefined> {
  const name = folderOf(table, month) + MANIFEST
  const bytes = await readSmall(store, name, BYTES_MAX)
  if (bytes === undefined) return undefined
  const problem = (reason: string) => new ArchiveError(`${name} in ${store.place} is no manifest of ${table} ${month}: ${reason}`)
  const json = jsonOf(bytes)
  if (json === undefined) throw problem('it is no JSON')
  const { success, data, error } = Manifest.safeParse(json, { error: plainMessage })
  if (!success) throw problem(error.issues.map(({ path, message }) => `${path.join('.') || 'it'} ${message}`)[0]!)
  if (data.table !== table || data.month !== month) throw problem(`it is of ${data.table} ${data.month}`)
  return data
}

/** Undefined for what is no JSON. */
function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}

/** Writes the manifest unless there is one. */
export async function writeManifest(
  store: ArchiveStore,
  { database, table, month }: Pick<Manifest, 'database' | 'table' | 'month'>,
  parts: readonly (PartOfManifest & { counts: Record<string, number> })[],
): Promise<void> {
  const manifest: Manifest = {
    version: VERSION,
    database,
    table,
    month,
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    counts: sumOf(parts.map(({ counts }) => counts)),
    first_key: parts[0]?.first_key ?? null,
    last_key: parts.at(-1)?.last_key ?? null,
    parts: parts.map((part) => PartOfManifest.parse(part)),
  }
  await store.create(
    folderOf(table, month) + MANIFEST,
    Buffer.from(`${JSON.stringify(Manifest.parse(manifest), undefined, 2)}\n`),
  )
}

/** Adds up counts, in the order of their names. */
export function sumOf(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum = new Map<string, number>()
  for (const counts of all) for (const [name, rows] of Object.entries(counts)) sum.set(name, (sum.get(name) ?? 0) + rows)
  return Object.fromEntries([...sum].toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

/** A month whose manifest cannot be read, and why. */
export interface BrokenMonth {
  table: string
  month: Month
  problem: ArchiveError
}

/**
 * The months that have a manifest, in the order of the tables.
 * @param onBroken  gets a month whose manifest cannot be read, and the others follow. Without it the error is thrown.
 */
export async function* archivedMonths(
  store: ArchiveStore,
  onBroken: (broken: BrokenMonth) => void = ({ problem }) => {
    throw problem
  },
): AsyncGenerator<Manifest> {
  for await (const { name } of store.list(LOG_PREFIX)) {
    const [, table, month] = /^log\/(\w+)\/(\d{4}-\d{2})\/manifest\.json$/.exec(name) ?? []
    if (table === undefined) continue
    let manifest: Manifest | undefined
    try {
      manifest = await readManifest(store, table as LogTableName, month!)
    } catch (problem) {
      if (!(problem instanceof ArchiveError)) throw problem
      onBroken({ table, month: month!, problem })
    }
    if (manifest !== undefined) yield manifest
  }
}

/** Hashes and counts what passes. */
export function measured(chunks: AsyncIterable<Uint8Array>) {
  const hash = createHash('sha256')
  let bytes = 0
  const passing = async function* () {
    for await (const chunk of chunks) {
      hash.update(chunk)
      bytes += chunk.length
      yield chunk
    }
  }
  return { chunks: passing(), result: () => ({ bytes, sha256: hash.digest('hex') }) }
}
