import { isAbsolute } from 'node:path'
import { settingsIn, type SettingsOf, text, wholeNumber } from './setting.ts'

export const backupSettings = settingsIn('Backup', {
  WAL_ARCHIVE: text
    .refine(isAbsolute, { error: 'must be a folder with its whole path, such as /srv/footfall-wal' })
    .optional()
    .describe(
      'Folder that gets the write-ahead log of the PostgreSQL of npm start, compressed, so that a backup can be restored to any later instant: docs/backup.md. Another PostgreSQL has settings of its own for it.',
    ),
  WAL_ARCHIVE_SECONDS: wholeNumber(1, 86_400)
    .default(60)
    .describe('How old what is not in WAL_ARCHIVE yet may be, in seconds. As much is lost with the disk of PostgreSQL.'),
})

export type BackupSettings = SettingsOf<typeof backupSettings>
