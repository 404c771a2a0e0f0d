import { resolve } from 'node:path'
import { Command } from 'commander'
import { type Config, readConfig } from '../../main/config/config.ts'
import { StartError } from '../../main/config/start-error.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { readKeysAndErased } from '../../store/backup/keys-and-erased.ts'
import { replaceWhole } from '../backup/backup-files.ts'
import { type BackupCheck, checkBackup } from '../backup/check-backup.ts'
import { keysAndErasedText } from '../backup/keys-and-erased.ts'
import type { Manifest } from '../backup/manifest.ts'
import { type BackupProgress, takeBackup } from '../backup/take-backup.ts'
import { removeSegmentsBefore, segmentOf } from '../backup/wal-files.ts'
import { countText, numberedText } from '../terminal/count.ts'
import { print, printError, printJson } from '../terminal/output.ts'
import { type RunView, runProgressOn } from '../terminal/run-progress.ts'

const MEBIBYTE = 1024 * 1024

interface Options {
  check?: boolean
  listsOnly?: boolean
  cleanWal?: boolean
  json?: boolean
}

export function backupCommand(): Command {
  return new Command('backup')
    .description('Copy the whole database into a new folder, while everything works on. Needs no program of PostgreSQL.')
    .argument('<folder>', 'a new folder; with --lists-only a file')
    .option('--check', 'read the backup in the folder, and compare every file with its checksum; exit 1 when one differs')
    .option('--clean-wal', 'afterwards, remove the files of WAL_ARCHIVE that are older than this backup')
    .option('--lists-only', 'write only the list of keys and erased persons, into a file')
    .option('--json', 'as JSON')
    .addHelpText('after', HELP)
    .action(async (folder: string, { check = false, listsOnly = false, cleanWal = false, json = false }: Options) => {
      const archive = cleanWal ? archiveToClean(readConfig(process.env)) : undefined
      if (check) return checkWithProgress(resolve(folder), json)
      if (listsOnly) return writeLists(readConfig(process.env), resolve(folder))
      const manifest = await takeWithProgress(resolve(folder), json)
      if (archive !== undefined) await clean(archive, manifest, json)
    })
}

async function takeWithProgress(folder: string, json: boolean): Promise<Manifest> {
  let remove = () => undefined as void
  const progress = runProgressOn(process.stderr, VIEW, () => {
    remove()
    printError('No backup was taken.')
  })
  try {
    const manifest = await takeBackup(readConfig(process.env), folder, {
      onProgress: progress.report,
      onBegin: (removing) => void (remove = removing),
    })
    progress.stop()
    if (json) printJson(manifest)
    else printBackup(folder, manifest)
    return manifest
  } finally {
    progress.stop()
  }
}

async function checkWithProgress(folder: string, json: boolean): Promise<void> {
  const progress = runProgressOn(process.stderr, VIEW, () => printError('Not checked.'))
  try {
    const check = await checkBackup(folder, progress.report)
    progress.stop()
    process.exitCode = check.problems.length === 0 ? 0 : 1
    if (json) printJson(check)
    else printCheck(folder, check)
  } finally {
    progress.stop()
  }
}

function archiveToClean({ WAL_ARCHIVE: folder }: Config): string {
  if (folder === undefined) throw new StartError('--clean-wal needs WAL_ARCHIVE, the folder to clean.')
  return folder
}

async function clean(archive: string, { start }: Manifest, isSilent: boolean): Promise<void> {
  const removed = await removeSegmentsBefore(archive, segmentOf(start))
  if (!isSilent) print(`Removed ${numberedText(removed, 'file')} of ${archive}, from before this backup.`)
}

async function writeLists(config: Config, file: string): Promise<void> {
  const list = await withDatabase(config, { name: 'footfall backup', readOnly: true }, readKeysAndErased)
  replaceWhole(file, keysAndErasedText(list))
  print(`${file} has ${numberedText(list.keys.length, 'key')} and ${numberedText(list.erased.length, 'id')} of erased persons.`)
}

const VIEW: RunView<BackupProgress> = {
  shareOf: ({ done, total }) => done / total,
  describe: ({ done, total }) => `${mibOf(done)} of about ${mibOf(Math.max(done, total))} MiB`,
}

const mibOf = (bytes: number) => countText(Math.round(bytes / MEBIBYTE))

function printBackup(folder: string, { files, log, began_at: at }: Manifest): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const events = Object.values(log).flatMap((months) => Object.values(months))
  const rows = events.reduce((sum, count) => sum + count, 0)
  print(`${folder} has all that was committed before ${at}: ${numberedText(rows, 'row')} of the log, ${mibOf(bytes)} MiB.`)
}

function printCheck(folder: string, { files, problems }: BackupCheck): void {
  for (const problem of problems) printError(problem)
  if (problems.length === 0) print(`${folder} is whole: ${numberedText(files, 'file')} as PostgreSQL sent them.`)
}

const HELP = `
The folder is made with another name (.partial) and renamed when the backup is whole. docs/backup.md says how to restore it, also to an instant.

  ./footfall backup backups/2026-11-30
  ./footfall backup --check backups/2026-11-30
`
