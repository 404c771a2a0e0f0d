import type { KyselyPlugin } from 'kysely'
import { archiveMonth } from '../../services/archive/archive-month.ts'
import { archivedMonths } from '../../services/archive/manifest.ts'
import { restoreMonth } from '../../services/archive/restore-month.ts'
import type { ArchiveStore } from '../../src/external/archive-store.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import { connect } from '../../src/store/database/connection.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { erase } from '../harness/items/erased.ts'

const RETENTION_DAYS = 32
/** A month has several parts. */
const PART_ROWS = 4

type Work = 'archive' | 'restore' | 'erase'

/**
 * Does the work of an archive as a process that kills itself: `killed-program.ts <database url> <folder> <work> <point>`. A point is before and after each
 * statement, and before and after each change of the archive; at point 0 it lives. Prints how many points it passed.
 */
async function main(url: string, folder: string, work: Work, diesAt: number): Promise<number> {
  let points = 0
  const onPoint = () => {
    if (++points === diesAt) process.kill(process.pid, 'SIGKILL')
  }
  const pool = connect({ url, name: 'archive crash test', statementMsMax: 0, onConnectionLost: () => undefined })
  const db = pool.withPlugin(aroundEachStatement(onPoint))
  const store = watched(createFolderArchive(folder), onPoint)
  if (work === 'archive')
    await dropOldMonths(db, RETENTION_DAYS, (table, month) => archiveMonth({ db, store, partRows: PART_ROWS }, table, month))
  else if (work === 'erase') await erase(db, 'account:lovelace')
  else for await (const manifest of archivedMonths(store)) await restoreMonth(db, store, manifest)
  await pool.destroy()
  return points
}

function aroundEachStatement(onPoint: () => void): KyselyPlugin {
  return {
    transformQuery: ({ node }) => {
      onPoint()
      return node
    },
    transformResult: async ({ result }) => {
      onPoint()
      return result
    },
  }
}

function watched(store: ArchiveStore, onPoint: () => void): ArchiveStore {
  const around = async <T>(change: Promise<T>): Promise<T> => {
    const result = await change
    onPoint()
    return result
  }
  return {
    ...store,
    put: (name, chunks) => around(store.put(name, chunks)),
    create: (name, bytes) => around(store.create(name, bytes)),
    remove: (name) => around(store.remove(name)),
  }
}

const [url, folder, work, diesAt] = process.argv.slice(2) as [string, string, Work, string]
console.log(await main(url, folder, work, Number(diesAt)))
