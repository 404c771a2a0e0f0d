import { basename } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Command, Option } from 'commander'
import { BATCH_ITEMS_MAX } from '../../contract/interaction.ts'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { dryRun } from '../import/dry-run.ts'
import { HELP } from '../import/help.ts'
import type { Cleaning } from '../import/mapping/cell.ts'
import { INTERACTIONS } from '../import/mapping/interactions.ts'
import { createIgnoredRows } from '../import/mapping/ignored-rows.ts'
import type { ItemKind } from '../import/mapping/item-kind.ts'
import { products } from '../import/mapping/products.ts'
import { ruleOf, type RuleText, valueMapsOf } from '../import/mapping/rule.ts'
import { exitStatusOfRows } from '../import/outcome.ts'
import { progressOn } from '../import/progress.ts'
import type { ImportPlan } from '../import/plan.ts'
import { PRESETS } from '../import/presets/all.ts'
import type { PresetOptions } from '../import/presets/preset.ts'
import { presetNamed, presetRulesOf, rulesAfter, withPreset } from '../import/presets/with-preset.ts'
import { createRefusals } from '../import/refusals.ts'
import { IDENTICAL_ROWS, type IdenticalRows } from '../import/rows-to-import.ts'
import { runImport } from '../import/run.ts'
import type { Ragged } from '../import/source/csv.ts'
import type { Format } from '../import/source/source-file.ts'
import { summaryOf, totalOf } from '../import/summary.ts'
import { UNITS } from '../import/values/epoch.ts'
import { offsetMinutesOf, TIME_FORMATS, type TimeReading } from '../import/values/instant.ts'
import type { DecimalMark } from '../import/values/number.ts'
import { createObservations, type Observations } from '../import/values/observations.ts'
import { toUtcIn } from '../import/values/time-zone.ts'
import { gatewayUrl } from './gateway-url.ts'
import { delimiterOf, encodingOf, formatOf, listed, namesOf, priceDecimalsOf } from './import-option.ts'
import { wholeNumber } from './whole-number.ts'
import { UsageError } from '../../main/config/start-error.ts'
import { print, printError } from '../terminal/output.ts'

const REASONS_SHOWN_MAX = 5

interface Options extends PresetOptions {
  preset?: string
  products?: boolean
  lenient?: boolean
  trim?: boolean
  decimal?: DecimalMark
  format?: Format
  columns?: string[]
  delimiter?: string
  ragged?: Ragged
  skip?: number
  encoding?: string
  timeZone?: string
  utcOffset?: string
  allowMissing?: boolean
  identicalRows: IdenticalRows
  tempFolder?: string
  batch: number
  inFlight: number
  patience: number
  rejected?: string
  ingress?: string
  dryRun?: boolean
  gateway?: string
  key?: string
}

/** @param run what is done with the plan of the options */
export function importCommand(run: (plan: ImportPlan) => Promise<void> = importFiles): Command {
  const rules: RuleText[] = []
  // --map and --set share a list, because the first of two rules for a field wins.
  const collect = (verb: RuleText[0]) => (text: string) => void rules.push([verb, text])
  return new Command('import')
    .description('Import interactions or products from files of CSV, JSON or Parquet.')
    .argument('<files...>', 'files to import, one after the other')
    .addOption(
      new Option('--preset <name>', 'rules for files of a known format; the rules of the command come before them').choices(
        PRESETS.map(({ name }) => name),
      ),
    )
    .option('--products', 'read products of the catalog instead of interactions')
    .option(
      '--price-decimals <count>',
      'prices are decimal numbers with this many places; "auto" for those of the currency (default: prices in minor units)',
      priceDecimalsOf,
    )
    .option('--lenient', 'record products without a price or a quantity that cannot be read, instead of refusing them')
    .option(
      '--map <field=column [if condition]>',
      'take a field from a column, or from several joined by " + "; an empty cell has no value',
      collect('map'),
    )
    .option('--set <field=value [if condition]>', 'set a field to a constant', collect('set'))
    .option('--values <field:from=to>', 'replace a value of a field; other values stay', listed)
    .option('--null <text>', 'read cells with this text as empty, repeatable, e.g. NULL', listed)
    .option('--trim', 'remove blanks around the texts of cells')
    .addOption(
      new Option('--decimal <mark>', 'the mark before decimals, in numbers with thousands separators').choices(['.', ',']),
    )
    .addOption(
      new Option('--format <format>', 'format of the files (default: by their content and names)')
        .choices(['csv', 'json', 'jsonl'])
        .argParser(formatOf),
    )
    .option('--columns <names>', 'comma-separated column names of CSV without a header row', namesOf)
    .option('--skip <lines>', 'lines of CSV before the header row to leave out', wholeNumber(0, 1_000))
    .option(
      '--delimiter <text>',
      'the character between cells of CSV; "tab" for a tab (default: found among comma, semicolon, tab and |)',
      delimiterOf,
    )
    .addOption(
      new Option('--ragged <way>', 'pad: give rows of CSV that are too short empty cells')
        .choices(['refuse', 'pad'])
        .default('refuse'),
    )
    .option('--encoding <name>', 'text encoding, e.g. windows-1252 (default: UTF-8 or UTF-16, found by the content)', encodingOf)
    .addOption(
      new Option(
        '--time-format <format>',
        'dmy or mdy: the order of dates such as 03/04/2026; excel: times are days of a spreadsheet',
      ).choices(TIME_FORMATS),
    )
    .addOption(
      new Option('--time-unit <unit>', 'read plain numbers as times since 1970 in this unit (default: by their size)').choices(
        UNITS,
      ),
    )
    .addOption(
      new Option('--time-zone <name>', 'zone of times without a zone, e.g. Europe/Berlin (default: UTC)').conflicts('utcOffset'),
    )
    .option('--utc-offset <offset>', 'offset of times without a zone, e.g. +02:00 (default: UTC)')
    .option('--allow-missing', 'treat a column that a file does not have as empty')
    .addOption(
      new Option(
        '--identical-rows <way>',
        'equal rows of a file: one event, or separate events (for logs without ids; reads each file twice)',
      )
        .choices(IDENTICAL_ROWS)
        .default('one'),
    )
    .option('--temp-folder <folder>', 'folder of the temporary files of --identical-rows separate (default: that of the system)')
    .option('--batch <rows>', 'rows per call', wholeNumber(1, BATCH_ITEMS_MAX), 1_000)
    .option('--in-flight <calls>', 'concurrent calls', wholeNumber(1, 64), 4)
    .option('--patience <seconds>', 'how long to retry while Restate does not answer', wholeNumber(1, 86_400), 300)
    .option('--rejected <file>', 'file for rejected rows, as JSON lines (default: <first file>.rejected.jsonl)')
    .option('--ingress <url>', "address of Restate's ingress (default: RESTATE_INGRESS_URL, or the ingress of npm start)")
    .option('--dry-run', 'show what the first rows of each file would become; send and write nothing')
    .option(
      '--gateway <url>',
      'address of the gateway that --dry-run asks for weights (default: the gateway of npm start)',
      gatewayUrl,
    )
    .addOption(
      new Option('--key <key>', 'an API key with the scope read for that gateway, once there are keys').env('FOOTFALL_KEY'),
    )
    .addHelpText('after', HELP)
    .action(async (files: string[], options: Options) => run(planOf(files, rules, options)))
}

async function importFiles(plan: ImportPlan): Promise<void> {
  if (plan.dryRun !== undefined) {
    const { lines, status } = await dryRun(plan, plan.dryRun)
    print(...lines)
    process.exitCode = status
    return
  }
  // Without this V8 collects garbage late when much memory is free: half a million rows peaked at 360 MiB instead of 158 MiB.
  setFlagsFromString('--optimize-for-size')
  const interrupted = new AbortController()
  // A second Ctrl-C ends the process immediately.
  process.once('SIGINT', () => interrupted.abort())
  const startedAt = performance.now()
  const tallies = await runImport({ ...plan, signal: interrupted.signal }, progressOn(process.stderr))
  const seconds = (performance.now() - startedAt) / 1_000
  print(...summaryOf(tallies, { seconds, peakKiB: process.resourceUsage().maxRSS, leftOut: plan.ignored?.line() }))
  const { rows, rejected } = totalOf(tallies)
  process.exitCode = exitStatusOfRows({ rows, refused: rejected })
  for (const warning of plan.observed?.warnings() ?? []) printError(`Warning: ${warning}`)
  if (rejected === 0) return
  print(...(plan.refusals?.lines(REASONS_SHOWN_MAX) ?? []).map((line) => `Rejected: ${line}`))
  const more = (plan.refusals?.count() ?? 0) - REASONS_SHOWN_MAX
  if (more > 0) print(`Rejected: for ${more} more ${more === 1 ? 'reason' : 'reasons'}`)
  print(`Rejected rows, with their lines and reasons: ${plan.rejectedPath}`)
}

function planOf(paths: string[], rules: readonly RuleText[], given: Options): ImportPlan {
  const { preset: name, products: areProducts = false } = given
  const preset = name === undefined ? undefined : presetRulesOf(presetNamed(name), { areProducts })
  const options = withPreset(given, preset)
  const { format, delimiter, columns, encoding, ragged, skip, decimal: mark } = options
  const kind = kindOf(options)
  const own = rules.map(([verb, text]) => ruleOf(verb, text, kind, mark))
  const { ingressUrl, gatewayUrl: ownGateway } = addressesOf(readConfig(process.env))
  const observed = createObservations(options.timeZone !== undefined || options.utcOffset !== undefined)
  return {
    kind,
    paths,
    form: { format, delimiter, columns, encoding, ragged, skip },
    rules: rulesAfter(own, preset, kind, mark),
    values: valueMapsOf(options.values ?? [], kind),
    cleaning: cleaningOf(options),
    changes: preset?.changes,
    ignored: preset?.ignored && createIgnoredRows(name!, preset.ignored),
    time: timeReadingOf(options, observed),
    mark,
    observed,
    identicalRows: options.identicalRows,
    tempFolder: options.tempFolder,
    mayMissColumns: options.allowMissing ?? false,
    ingressUrl: options.ingress ?? ingressUrl,
    dryRun: options.dryRun ? { gatewayUrl: options.gateway ?? ownGateway, key: options.key || undefined } : undefined,
    batchRows: options.batch,
    inFlightMax: options.inFlight,
    patienceMs: options.patience * 1_000,
    refusals: createRefusals(),
    rejectedPath: options.rejected ?? `${basename(paths[0]!)}.rejected.jsonl`,
    onReading: (sentence) => printError(sentence),
  }
}

function cleaningOf({ null: nulls = [], trim = false }: Options): Cleaning | undefined {
  return nulls.length === 0 && !trim ? undefined : { nulls: new Set(nulls), isTrimmed: trim }
}

function timeReadingOf({ timeUnit, timeFormat, timeZone, utcOffset = 'Z' }: Options, observed: Observations): TimeReading {
  const toUtc = timeZone === undefined ? undefined : toUtcIn(timeZone)
  return { unit: timeUnit, format: timeFormat, offsetMinutes: offsetMinutesOf(utcOffset), toUtc, zoneName: timeZone, observed }
}

function kindOf({ products: areProducts = false, priceDecimals, lenient: isLenient = false, identicalRows }: Options): ItemKind {
  if (areProducts && identicalRows === 'separate')
    throw new UsageError('--identical-rows separate is for interactions: equal rows are one version of a product.')
  if (areProducts) return products({ priceDecimals, isLenient })
  if (priceDecimals !== undefined) throw new UsageError('--price-decimals is for prices of products: add --products.')
  if (isLenient) throw new UsageError('--lenient is for prices and quantities of products: add --products.')
  return INTERACTIONS
}
