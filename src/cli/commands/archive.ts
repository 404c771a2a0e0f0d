import { existsSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { type ArchivedMetrics, archivedMetrics } from '../../../services/archive/archive-metrics.ts'
import { checkParts } from '../../../services/archive/check-month.ts'
import { archivedMonths, type BrokenMonth, type Manifest } from '../../../services/archive/manifest.ts'
import { restoreMonth } from '../../../services/archive/restore-month.ts'
import { ArchiveError, type ArchiveStore } from '../../external/archive-store.ts'
import { readableArchive } from '../../external/readable-archive.ts'
import { archivePlaceOf } from '../../main/config/archive.ts'
import { type Config, readConfig } from '../../main/config/config.ts'
import { StartError } from '../../main/config/start-error.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { collectEarly } from '../../main/embedded/v8-flags.ts'
import { openArchive } from '../../main/external/archive.ts'
import { restoredTable } from '../../store/archive/restored-month.ts'
import { numberedText } from '../terminal/count.ts'
import { print, printError, printJson, printTable } from '../terminal/output.ts'

const MEBIBYTE = 1024 * 1024

export function archiveCommand(): Command {
  return new Command('archive')
    .description('Archived months of the log and metrics of the catalog: ARCHIVE says where they are.')
    .enablePositionalOptions()
    .addCommand(listCommand())
    .addCommand(verifyCommand())
    .addCommand(restoreCommand())
    .addHelpText('after', HELP)
}

function listCommand(): Command {
  return new Command('list')
    .description('List the archived months, and the days whose metrics are archived.')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const { months, broken, metrics } = await withArchive(async (store) => ({
        ...(await monthsOf(store)),
        metrics: await metricsOf(store),
      }))
      printBroken(broken)
      if (json) return printJson({ months, metrics })
      if (months.length + broken.length === 0) print('No month is archived.')
      else if (months.length > 0) printMonths(months)
      printDays(metrics)
    })
}

function printMonths(months: readonly Manifest[]): void {
  printTable(
    months.map((manifest) => ({
      table: manifest.table,
      month: manifest.month,
      rows: manifest.rows,
      parts: manifest.parts.length,
      MiB: Number((bytesOf(manifest) / MEBIBYTE).toFixed(1)),
    })),
  )
}

function printBroken(broken: readonly BrokenMonth[]): void {
  for (const { table, month, problem } of broken) printProblem(`${table} ${month}: ${problem.message}.`)
}

/** The command goes on, and its exit status says that there was a problem. */
function printProblem(sentence: string): void {
  process.exitCode = 1
  printError(sentence)
}

function printDays(metrics: readonly ArchivedMetrics[]): void {
  const days = [...new Set(metrics.map(({ date }) => date))]
  if (days.length === 0) print('No metrics are archived.')
  else print(`Metrics of ${days.length === 1 ? 'one day' : `${days.length} days`}: the last is ${metrics.at(-1)!.name}.`)
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('Read archived months, and compare them with their manifests. Exit 1 when one differs.')
    .argument('[month]', 'e.g. 2026-01 (default: all)', monthArgument)
    .action(async (month: string | undefined) => {
      await withArchive(async (store) => {
        const { months, broken } = await monthsOf(store, month)
        if (months.length + broken.length === 0) print(`No month is archived in ${store.place}.`)
        for (const manifest of months) await verify(store, manifest)
        printBroken(broken)
      })
    })
}

async function verify(store: ArchiveStore, manifest: Manifest): Promise<void> {
  const { table, month, rows } = manifest
  try {
    await checkParts(store, manifest)
    print(`${table} ${month}: ${numberedText(rows, 'row')}, as the manifest says.`)
  } catch (error) {
    printProblem(`${table} ${month}: ${error instanceof Error ? error.message : String(error)}.`)
  }
}

function restoreCommand(): Command {
  return new Command('restore')
    .description('Restore an archived month into tables of its own, e.g. restored.interaction_2026_01. Nothing is counted again.')
    .argument('<month>', 'e.g. 2026-01', monthArgument)
    .option('--foreign', 'a month that another database archived, without its shoppers')
    .action(async (month: string, { foreign = false }: { foreign?: boolean }) => {
      collectEarly()
      await withArchive(async (store) => {
        const { months, broken } = await monthsOf(store, month)
        if (broken.length > 0) throw broken[0]!.problem
        await withDatabase(readConfig(process.env), { name: 'footfall archive', statementMsMax: 0 }, async (db) => {
          for (const manifest of months) {
            await restoreMonth(db, store, manifest, { isForeign: foreign })
            print(`${restoredTable(manifest.table, manifest.month)} has ${numberedText(manifest.rows, 'row')}.`)
          }
        })
      })
    })
}

/** @throws StartError when the archive cannot be used, or is damaged. */
async function withArchive<T>(work: (store: ArchiveStore) => Promise<T>): Promise<T> {
  const config = readConfig(process.env)
  checkFolder(config)
  const store = readableArchive(await openArchive(config))
  try {
    return await work(store)
  } catch (cause) {
    if (cause instanceof ArchiveError) throw new StartError(`${cause.message}.`, { cause })
    throw cause
  } finally {
    store.close()
  }
}

/** A folder that ARCHIVE names can be misspelt; the one of FOOTFALL_HOME is made by the first file in it. */
function checkFolder(config: Config): void {
  const place = archivePlaceOf(config)
  if (config.ARCHIVE !== undefined && 'folder' in place && !existsSync(place.folder))
    throw new StartError(`ARCHIVE (${place.folder}) cannot be used: there is no such folder, or it may not be read.`)
}

/** @throws StartError when the month is not archived. */
async function monthsOf(store: ArchiveStore, month?: string): Promise<{ months: Manifest[]; broken: BrokenMonth[] }> {
  const isAsked = (one: { month: string }) => month === undefined || one.month === month
  const months: Manifest[] = []
  const broken: BrokenMonth[] = []
  const onBroken = (one: BrokenMonth) => void (isAsked(one) && broken.push(one))
  for await (const manifest of archivedMonths(store, onBroken)) if (isAsked(manifest)) months.push(manifest)
  if (month !== undefined && months.length + broken.length === 0)
    throw new StartError(`${month} is not archived in ${store.place}.`)
  return { months, broken }
}

async function metricsOf(store: ArchiveStore): Promise<ArchivedMetrics[]> {
  const metrics: ArchivedMetrics[] = []
  for await (const file of archivedMetrics(store)) metrics.push(file)
  return metrics
}

function monthArgument(text: string): string {
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(text)) throw new InvalidArgumentError('must be a month such as 2026-01')
  return text
}

const bytesOf = ({ parts }: Manifest) => parts.reduce((sum, { bytes }) => sum + bytes, 0)

const HELP = `
With ARCHIVE_LOG=on each month is archived before RETENTION_DAYS drops it: docs/archive.md.

  ./footfall archive restore 2026-01
  ./footfall verify
`
