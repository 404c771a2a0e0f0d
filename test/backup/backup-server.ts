import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { backupCommand } from '../../src/cli/commands/backup.ts'
import { createDatabase, prepareTemplate, type TestDatabase } from '../harness/servers/database.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { runCommand } from '../harness/programs/command.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import { startTestPostgres } from '../harness/servers/postgres.ts'

export interface BackupServer {
  database: TestDatabase
  /** A new folder for backups, which goes with the server. */
  folder: string
  /** Runs `footfall backup` on it. */
  backup: (args: readonly string[], url?: string) => ReturnType<typeof runCommand>
  stop: () => Promise<void>
}

/** A PostgreSQL of its own, because a backup copies every database of a server. */
export async function startBackupServer(): Promise<BackupServer> {
  const server = await startTestPostgres()
  await prepareTemplate(server.url)
  const database = await createDatabase(server.url)
  const folder = makeDataFolder('backups')
  return {
    database,
    folder,
    backup: (args, url = database.url) => runCommand(backupCommand(), args, { DATABASE_URL: url }),
    stop: async () => {
      await database.drop()
      await server.stop()
      await rm(folder, { recursive: true })
    },
  }
}

/** Records events with ids of their own. */
export async function recordSome({ database }: BackupServer, count: number): Promise<void> {
  const items = Array.from({ length: count }, (_, n) => interaction({ eventId: randomUUID(), refId: `p${n % 7}` }))
  await recordAndCount(database.db, items)
}
