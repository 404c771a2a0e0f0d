import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { readConfig } from '../../main/config/config.ts'
import type { BackupProgress } from '../backup/take-backup.ts'
import { answerOf, linesOf } from '../restore/answer.ts'
import { finishRestore, restore, type Restored, type RestoreOptions } from '../restore/run.ts'
import { countText } from '../terminal/count.ts'
import { print, printError, printJson } from '../terminal/output.ts'
import { type RunView, runProgressOn } from '../terminal/run-progress.ts'
import { wholeNumber } from './whole-number.ts'

const MEBIBYTE = 1024 * 1024

interface Options {
  to?: Date
  wal?: string[]
  timeline?: number
  moveOld?: boolean
  restored?: boolean
  lists?: string[]
  json?: boolean
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description('Restore a backup as the database of npm start, which must be stopped. Deletes nothing.')
    .argument('<folder>', 'a folder that footfall backup wrote')
    .option(
      '--to <instant>',
      'replay the write-ahead log up to this instant, e.g. 2026-11-30T09:00:00Z (default: all that there is)',
      instantOf,
    )
    .option('--wal <folder>', 'a folder with the write-ahead log (default: WAL_ARCHIVE); repeatable', folderOf)
    .option(
      '--timeline <number>',
      'the timeline of the write-ahead log to follow (default: the newest)',
      wholeNumber(1, 2 ** 31 - 1),
    )
    .option('--move-old', 'move the database that is there aside')
    .option('--lists <file>', 'keys-and-erased.json of a newer time; repeatable', folderOf)
    .option('--restored', 'the database was restored by other means: do only what follows a restore')
    .option('--json', 'as JSON')
    .addHelpText('after', HELP)
    .action(async (folder: string, { json = false, restored = false, ...options }: Options) => {
      const outcome = restored
        ? await finishRestore(readConfig(process.env), resolve(folder), options)
        : await restoreWithProgress(resolve(folder), options)
      if (json) printJson(answerOf(outcome, options.to))
      else print(...linesOf(outcome, options.to))
    })
}

async function restoreWithProgress(folder: string, options: RestoreOptions): Promise<Restored> {
  const progress = runProgressOn(process.stderr, VIEW, () => printError('Not restored. The old database is as it was.'))
  try {
    return await restore(readConfig(process.env), folder, options, { onProgress: progress.report, say: printError })
  } finally {
    progress.stop()
  }
}

const VIEW: RunView<BackupProgress> = {
  shareOf: ({ done, total }) => done / total,
  describe: ({ done, total }) => `${countText(Math.round(done / MEBIBYTE))} of ${countText(Math.round(total / MEBIBYTE))} MiB`,
}

function instantOf(text: string): Date {
  const isInstant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text)
  const instant = new Date(text)
  if (isInstant && !Number.isNaN(instant.getTime())) return instant
  throw new InvalidArgumentError('must be an instant with its time zone, such as 2026-11-30T09:00:00Z')
}

function folderOf(text: string, before: string[] = []): string[] {
  return [...before, resolve(text)]
}

const HELP = `
Without a program of PostgreSQL. The old database, Restate's folder and the write-ahead log stay: docs/backup.md says what to do with each.

  ./footfall restore backups/2026-11-30
  ./footfall restore backups/2026-11-30 --move-old --to 2026-11-30T09:00:00Z --wal /srv/footfall-wal
`
