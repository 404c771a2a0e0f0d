import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import { JACCARD_NEIGHBOURS } from '../../ranking/evaluation/jaccard.ts'
import { type EvaluationPlan, METHODS, PROTOCOLS } from '../evaluate/plan.ts'
import { type EvaluateOptions, planOf, withSettingsOf } from '../evaluate/plan-of-options.ts'
import { jsonOf, linesOf, TABLE_WIDTH, tableOf } from '../evaluate/output.ts'
import { evaluationProgressOn } from '../evaluate/progress.ts'
import type { ShopReader } from '../evaluate/read-data.ts'
import { readShop } from '../evaluate/read-shop.ts'
import { type Evaluation, runEvaluation } from '../evaluate/run.ts'
import { tunedOf } from '../evaluate/save.ts'
import { tableLines } from '../evaluate/table.ts'
import { engineSettingsOf } from '../evaluate/shop-settings.ts'
import { TIME_FORMATS } from '../import/values/instant.ts'
import { readConfig } from '../../main/config/config.ts'
import { versionBoundsOf } from '../../main/config/similarity.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { addRankingSettings, rankingInForce } from '../../store/similarity/ranking-settings.ts'
import { actor } from '../terminal/actor.ts'
import { print, printJson } from '../terminal/output.ts'
import { columnOf, numbersOf, settingOf, timeFrom } from './evaluate-option.ts'
import { delimiterOf, encodingOf, namesOf } from './import-option.ts'
import { wholeNumber } from './whole-number.ts'

const THREADS_MAX = 64

export function evaluateCommand(run: (plan: EvaluationPlan) => Promise<void> | undefined = () => undefined): Command {
  return new Command('evaluate')
    .description('Measure how good recommendations would have been, on the log or on a file of events.')
    .argument('[file]', "events, also compressed with gzip (default: the shop's own log)")
    .option('--train <file>', 'the file of events to learn from, the same as the argument')
    .option('--test <file>', 'events to ask for: sessions with --protocol session, otherwise the right products of each shopper')
    .addOption(
      new Option(
        '--format <format>',
        'sequences: a line per shopper, its id and then product ids in the order of time; csv: a row per event (default: csv for names such as *.csv, *.tsv and *.data, and with --columns or --map)',
      ).choices(['sequences', 'csv']),
    )
    .option('--no-ids', 'lines of sequences have no id before their products: each is a session of its own')
    .option(
      '--map <field=column>',
      'the column of shopper, product or time (default: usual names such as user_id, item_id, timestamp)',
      columnOf,
    )
    .option('--columns <names>', 'comma-separated column names of CSV without a header row', namesOf)
    .option('--delimiter <text>', 'the character between cells of CSV; "tab" for a tab (default: found)', delimiterOf)
    .addOption(
      new Option(
        '--time-format <format>',
        'dmy or mdy: the order of dates such as 03/04/2026; excel: times are days of a spreadsheet',
      ).choices(TIME_FORMATS),
    )
    .option('--encoding <name>', 'text encoding of CSV (default: found)', encodingOf)
    .option('--skip <lines>', 'lines of CSV before the header row to leave out', wholeNumber(0, 1_000))
    .option(
      '--attributes <file>',
      'JSON of product ids with lists of their attributes, e.g. categories and brand: recommends by content too',
    )
    .addOption(
      new Option(
        '--protocol <name>',
        'what is asked (default: time-split for events with times, otherwise leave-one-out)',
      ).choices(PROTOCOLS),
    )
    .option(
      '--validation-from <time>',
      'the first time of the validation of time-split, as in the file or as a date (default: after 80 % of the events)',
      timeFrom,
    )
    .option(
      '--test-from <time>',
      'the first time of the test of time-split and session, later than that of the validation (default: after 90 %)',
      timeFrom,
    )
    .addOption(
      new Option('--method <name>', 'auto: the best one on the validation (default: cooccurrence, or auto with --tune)').choices([
        ...METHODS,
        'auto',
      ]),
    )
    .option('--tune', 'choose settings on the validation, one after the other; the test is not asked for any choice')
    .option(
      '--save',
      'with --tune: store better settings in the database, if the tuning finds any, beginning with those of the shop (footfall similarity settings)',
    )
    .option('--set <name=value>', 'a setting of cooccurrence, e.g. rho=1; repeatable', settingOf)
    .option('--neighbours <count>', 'neighbours of jaccard', wholeNumber(1, 10_000), JACCARD_NEIGHBOURS)
    .option(
      '--k <numbers>',
      'lengths of lists, e.g. 10,20; the first one decides choices (default: 10,20; 20,10 for sessions)',
      numbersOf,
    )
    .option('--last-only', 'of each session ask for the last click alone, e.g. when every line is a session up to a click')
    .option(
      '--cases <count>',
      'ask at most so many cases of the test, chosen by the seed (default: all)',
      wholeNumber(1, 100_000_000),
    )
    .option('--seed <number>', 'determines samples; all figures are the same for the same seed', wholeNumber(0, 2 ** 31 - 1), 1)
    .option('--workers <count>', 'threads that count', wholeNumber(1, THREADS_MAX), Math.min(THREADS_MAX, availableParallelism()))
    .option('--json', 'as JSON, with hr_at_10, ndcg_at_10, …')
    .action(async (file: string | undefined, options: EvaluateOptions) => {
      const plan = planOf(file, options)
      await (run(plan) ?? evaluateFile(plan, options.json ?? false))
    })
}

const CONNECTION = { name: 'footfall evaluate' }

async function evaluateFile(given: EvaluationPlan, isJson: boolean): Promise<void> {
  const progress = evaluationProgressOn(process.stderr)
  const plan = await planFor(given)
  const shop: ShopReader = ({ settings: { botEventsPerDay } }) => {
    const config = readConfig(process.env)
    const { eventsMax } = versionBoundsOf(config)
    const onRead = (events: number) => progress.report('reading the log', events, Infinity)
    return withDatabase(config, { ...CONNECTION, readOnly: true }, (db) => readShop(db, { eventsMax, botEventsPerDay, onRead }))
  }
  const evaluation = await runEvaluation(plan, progress.report, shop).finally(progress.stop)
  const saved = plan.isSaved ? await save(evaluation) : undefined
  if (isJson) {
    printJson({ ...jsonOf(evaluation), ...(plan.isSaved && { saved_settings_version: saved ?? null }) })
    return
  }
  const { above, below } = linesOf(evaluation)
  print(...above)
  print('', ...tableLines(tableOf(evaluation), TABLE_WIDTH), '', ...below)
  if (plan.isSaved) print(savedLine(saved))
}

/** The plan with the settings of the shop, where its log is evaluated or what is chosen is for the shop. */
async function planFor(plan: EvaluationPlan): Promise<EvaluationPlan> {
  if (plan.trainPath !== undefined && !plan.isSaved) return plan
  const config = readConfig(process.env)
  const ranking = await withDatabase(config, { ...CONNECTION, readOnly: true }, rankingInForce)
  return withSettingsOf(plan, engineSettingsOf({ ...versionBoundsOf(config), ...ranking }))
}

/** Stores what the tuning chose. @returns its number; undefined when nothing is better */
async function save(evaluation: Evaluation): Promise<number | undefined> {
  const tuned = tunedOf(evaluation)
  if (tuned === undefined) return undefined
  return withDatabase(readConfig(process.env), CONNECTION, (db) => addRankingSettings(db, { actor: actor(), ...tuned }))
}

function savedLine(saved: number | undefined): string {
  if (saved === undefined) return 'No settings gained more than 2 % of NDCG on the validation: nothing is stored.'
  return `These are ranking settings ${saved} now: ./footfall similarity settings promote ${saved} puts them in force.`
}
