import { instantOf } from '../../src/contract/fields/time.ts'
import type { ArchiveStore } from '../../src/external/archive-store.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { allStates } from '../../src/store/metrics/all-states.ts'

const METRICS_PREFIX = 'analytics/'
/** Of the form of the files. */
const VERSION = 1

/**
 * Writes the metrics of the catalog as the file of a day in UTC, `analytics/{date}/{timestamp}.json`, unless the day has one. A repeated call of the
 * same instant cannot write a second file, because the name has the instant; a call of another instant finds the file.
 * @returns whether it wrote one; a catalog without products has none.
 */
export async function archiveMetrics(db: Database, store: ArchiveStore, nowMs: number): Promise<boolean> {
  const instant = instantOf(nowMs)
  const folder = `${METRICS_PREFIX}${instant.slice(0, 'yyyy-mm-dd'.length)}/`
  for await (const _file of store.list(folder)) return false
  const file = await metricsFile(db)
  return file !== undefined && store.create(`${folder}${instant.replaceAll(':', '-')}.json`, file)
}

/** Made page by page, because the event loop must not be held for the whole catalog. Undefined without products. */
async function metricsFile(db: Database): Promise<Buffer | undefined> {
  const categories: string[] = []
  const sellers: string[] = []
  const { lowStock, readAtMs } = await allStates(db, (states) => {
    for (const state of states) ('seller_id' in state ? sellers : categories).push(JSON.stringify(state))
  })
  if (sellers.length + categories.length === 0) return undefined
  const fields = {
    version: String(VERSION),
    read_at: JSON.stringify(instantOf(readAtMs)),
    low_stock: JSON.stringify(lowStock),
    categories: `[\n${categories.join(',\n')}\n]`,
    sellers: `[\n${sellers.join(',\n')}\n]`,
  }
  const lines = Object.entries(fields).map(([name, value]) => `"${name}":${value}`)
  return Buffer.from(`{${lines.join(',\n')}}\n`)
}

/** A file of a day. */
export interface ArchivedMetrics {
  date: string
  name: string
  bytes: number
}

/** The files of metrics, the oldest first. */
export async function* archivedMetrics(store: ArchiveStore): AsyncGenerator<ArchivedMetrics> {
  for await (const { name, bytes } of store.list(METRICS_PREFIX)) {
    const [, date] = /^analytics\/(\d{4}-\d{2}-\d{2})\/[^/]+\.json$/.exec(name) ?? []
    if (date !== undefined) yield { date, name, bytes }
  }
}
