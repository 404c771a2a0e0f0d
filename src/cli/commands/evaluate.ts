import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import { JACCARD_NEIGHBOURS } from '../../ranking/evaluation/jaccard.ts'
import { type EvaluationPlan, METHODS, PROTOCOLS } from '../evaluate/plan.ts'
import { type EvaluateOptions, planOf } from '../evaluate/plan-of-options.ts'
import { jsonOf, linesOf, tableOf } from '../evaluate/output.ts'
import { evaluationProgressOn } from '../evaluate/progress.ts'
import type { ShopReader } from '../evaluate/read-data.ts'
import { readShop } from '../evaluate/read-shop.ts'
import { runEvaluation } from '../evaluate/run.ts'
import { TIME_FORMATS } from '../import/values/instant.ts'
import { readConfig } from '../../main/config/config.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { print, printJson, printTable } from '../terminal/output.ts'
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
      'the first time of the validation of time-split (default: after 80 % of the events)',
      timeFrom,
    )
    .option('--test-from <time>', 'the first time of the test of time-split and session (default: after 90 %)', timeFrom)
    .addOption(
      new Option('--method <name>', 'auto: the best one on the validation (default: cooccurrence, or auto with --tune)').choices([
        ...METHODS,
        'auto',
      ]),
    )
    .option('--tune', 'choose settings on the validation, one after the other; the test is not asked for any choice')
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

async function evaluateFile(plan: EvaluationPlan, isJson: boolean): Promise<void> {
  const progress = evaluationProgressOn(process.stderr)
  const shop: ShopReader = ({ settings: { botEventsPerDay } }) =>
    withDatabase(readConfig(process.env), { name: 'footfall evaluate', readOnly: true }, (db) =>
      readShop(db, { botEventsPerDay, onRead: (events) => progress.report('reading the log', events, Infinity) }),
    )
  const evaluation = await runEvaluation(plan, progress.report, shop).finally(progress.stop)
  if (isJson) {
    printJson(jsonOf(evaluation))
    return
  }
  const { above, below } = linesOf(evaluation)
  print(...above)
  printTable(tableOf(evaluation))
  print(...below)
}
