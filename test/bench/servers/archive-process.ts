import { monitorEventLoopDelay } from 'node:perf_hooks'
import { archiveMonth } from '../../../services/archive/archive-month.ts'
import type { ArchiveFormat } from '../../../services/archive/part-format.ts'
import { readManifest } from '../../../services/archive/manifest.ts'
import { restoreMonth } from '../../../services/archive/restore-month.ts'
import { createFolderArchive } from '../../../src/external/folder-archive.ts'
import { collectEarly } from '../../../src/main/embedded/v8-flags.ts'
import { connect } from '../../../src/store/database/connection.ts'

const RESOLUTION_MS = 1
/** maxRSS is in KiB. */
const MEGABYTE_OF_KIB = 1_024 / 1_000_000

/** What a process measured of its work. */
export interface ArchiveMeasurement {
  seconds: number
  cpuSeconds: number
  megabytesMax: number
  /** How long the event loop was held. */
  heldMs: { p99: number; max: number }
  rows: number
  bytes: number
}

/** Archives or restores a month in a process of its own: `archive-process.ts archive|restore <database url> <folder> <month> <format>`. Prints what it measured. */
async function main(
  work: string,
  url: string,
  folder: string,
  month: string,
  format: ArchiveFormat,
): Promise<ArchiveMeasurement> {
  const db = connect({ url, name: 'bench archive', statementMsMax: 0 })
  const store = createFolderArchive(folder)
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const startedMs = performance.now()
  if (work === 'archive') while (!(await archiveMonth({ db, store, format }, 'interaction', month)));
  else {
    collectEarly()
    await restoreMonth(db, store, (await readManifest(store, 'interaction', month))!)
  }
  const seconds = (performance.now() - startedMs) / 1_000
  delay.disable()
  await db.destroy()
  const manifest = (await readManifest(store, 'interaction', month))!
  const { user, system } = process.cpuUsage()
  return {
    seconds,
    cpuSeconds: (user + system) / 1e6,
    megabytesMax: process.resourceUsage().maxRSS * MEGABYTE_OF_KIB,
    heldMs: { p99: delay.percentile(99) / 1e6 - RESOLUTION_MS, max: delay.max / 1e6 - RESOLUTION_MS },
    rows: manifest.rows,
    bytes: manifest.parts.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

const [work, url, folder, month, format] = process.argv.slice(2) as [string, string, string, string, ArchiveFormat]
console.log(JSON.stringify(await main(work, url, folder, month, format)))
