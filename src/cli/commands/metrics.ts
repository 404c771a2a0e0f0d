import { Command, Option } from 'commander'
import { DecidedError } from '../../contract/decided-error.ts'
import { Instant } from '../../contract/fields/instant.ts'
import { plainMessage } from '../../contract/fields/zod-messages.ts'
import { MetricsHistoryQuery, type MetricsRequest } from '../../contract/product-metrics.ts'
import { readConfig } from '../../main/config/config.ts'
import { StartError } from '../../main/config/start-error.ts'
import { dynamoPlaceOf } from '../../main/config/metrics-store.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { openMetricHistory } from '../../main/external/metric-history.ts'
import { historyAnswer, metricsAnswer } from '../../store/metrics/answer.ts'
import { changeLowStock } from '../../store/metrics/low-stock.ts'
import { rebuildMetrics } from '../../store/metrics/rebuild.ts'
import { actor } from '../terminal/actor.ts'
import { numberedText } from '../terminal/count.ts'
import { print, printJson } from '../terminal/output.ts'
import { wholeNumber } from './whole-number.ts'

const LOW_STOCK_MAX = 1_000_000

interface ReadOptions {
  at?: string
  history?: boolean
}

export function metricsCommand(): Command {
  const reading = (command: Command) =>
    command
      .option('--at <time>', 'the newest state that was recorded by this instant of the last 30 days')
      .addOption(new Option('--history', 'the last 100 states, the newest first; not with --at').conflicts('at'))
  return new Command('metrics')
    .description('What sellers, categories and low stock come to, as JSON.')
    .addCommand(
      reading(new Command('seller').description('The products of a seller.').argument('<id>')).action(
        (seller_id: string, options: ReadOptions) => read({ seller_id }, options),
      ),
    )
    .addCommand(
      reading(new Command('category').description('The products of a category.').argument('<name>')).action(
        (category: string, options: ReadOptions) => read({ category }, options),
      ),
    )
    .addCommand(
      reading(new Command('low-stock').description('The active products that are nearly sold out.'))
        .addOption(
          new Option(
            '--below <items>',
            'from now on, call products low that have fewer items than this; writers of products wait for about a second per million',
          )
            .argParser(wholeNumber(1, LOW_STOCK_MAX))
            .conflicts(['at', 'history']),
        )
        .action(async ({ below, ...options }: ReadOptions & { below?: number }) => {
          if (below === undefined) return read({ low_stock: true }, options)
          await withDatabase(readConfig(process.env), { name: 'footfall metrics' }, (db) => changeLowStock(db, below, actor()))
          print(`Active products with fewer than ${below} items are low.`)
        }),
    )
    .addCommand(
      new Command('rebuild')
        .description(
          'Compare all metrics with the catalog, and correct what differs. Writers of products do not wait. Exit 1 when something differed.',
        )
        .option('--check', 'compare, and correct nothing')
        .action(rebuild),
    )
    .addCommand(
      new Command('create-table')
        .description('Create the table of DynamoDB that METRICS_STORE names, whose expired items DynamoDB deletes.')
        .action(createTable),
    )
}

async function read(request: MetricsRequest, { at, history: isHistory }: ReadOptions): Promise<void> {
  if (at !== undefined) checkInstant(at)
  const config = readConfig(process.env)
  const { of: historyOf, close } = await openMetricHistory(config)
  const answer = await withDatabase(config, { name: 'footfall metrics', readOnly: true }, async (db) => {
    const history = historyOf(db)
    if (isHistory) return historyAnswer(history, request, MetricsHistoryQuery.parse({}))
    return metricsAnswer({ db, history }, { ...request, ...(at !== undefined && { at }) })
  })
    .catch((error: unknown) => {
      throw error instanceof DecidedError ? new StartError(`${error.message}.`, { cause: error }) : error
    })
    .finally(close)
  printJson(answer)
}

async function createTable(): Promise<void> {
  const place = dynamoPlaceOf(readConfig(process.env))
  if (place === undefined) throw new StartError('METRICS_STORE names no table of DynamoDB.')
  const { createHistoryTable } = await import('../../external/dynamo-table.ts')
  await createHistoryTable(place)
  print(`The table ${place.table} of DynamoDB is ready.`)
}

function checkInstant(text: string): void {
  const parsed = Instant.safeParse(text, { error: plainMessage })
  if (!parsed.success) throw new StartError(`--at ${parsed.error.issues[0]!.message}.`)
}

async function rebuild({ check: isDry = false }: { check?: boolean }): Promise<void> {
  await withDatabase(readConfig(process.env), { name: 'footfall metrics', readOnly: isDry, statementMsMax: 0 }, async (db) => {
    const { cells, shown } = await rebuildMetrics(db, actor(), { isDry })
    process.exitCode = cells === 0 ? 0 : 1
    for (const { key, currency, column, stored, expected } of shown) {
      print(`${key} ${currency} ${column}: stored ${stored}, expected ${expected}`)
    }
    if (cells === 0) print('Every metric is what the catalog comes to.')
    else print(`${numberedText(cells, 'cell')} differed${isDry ? '.' : ', and the metrics are corrected.'}`)
  })
}
