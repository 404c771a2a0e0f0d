import { closeSync, openSync } from 'node:fs'
import { StartError } from '../../main/config/start-error.ts'
import { startPrivatePostgres } from '../../main/embedded/private-postgres.ts'
import { type KeysAndErased, readKeysAndErased } from '../../store/backup/keys-and-erased.ts'
import { connect } from '../../store/database/connection.ts'

const READY_MS_MAX = 10 * 60_000

/** Keys and erased persons of the database that a backup takes the place of; a sentence when it cannot be read. */
export async function readOldDatabase(folder: string, logFile: string): Promise<KeysAndErased | string> {
  const log = openSync(logFile, 'w', 0o600)
  try {
    const server = await startPrivatePostgres({ folder, log, settings: {}, readyMsMax: READY_MS_MAX })
    const db = connect({ url: server.url, name: 'footfall restore', connectionsMax: 1, readOnly: true })
    try {
      return await readKeysAndErased(db)
    } finally {
      await db.destroy()
      await server.stop()
    }
  } catch (error) {
    const reason = error instanceof StartError ? error.message : `${error instanceof Error ? error.message : String(error)}.`
    return `The old database cannot be read: ${reason}`
  } finally {
    closeSync(log)
  }
}
