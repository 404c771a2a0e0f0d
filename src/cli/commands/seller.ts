import { Command, Option } from 'commander'
import { DecidedError } from '../../contract/decided-error.ts'
import { GRANULARITIES, type Granularity, SellerDashboardRequest } from '../../contract/seller-dashboard.ts'
import { plainMessage } from '../../contract/fields/zod-messages.ts'
import { sellerDashboard } from '../../store/sellers/seller-dashboard.ts'
import { readConfig } from '../../main/config/config.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { linesOf } from '../seller/lines.ts'
import { UsageError } from '../../main/config/start-error.ts'
import { printJson, printStyled } from '../terminal/output.ts'

interface Options {
  start?: string
  end?: string
  granularity: Granularity
  timeZone: string
  currency?: string
  json?: boolean
}

/** For terminals that do not report their width. */
const COLUMNS_USUAL = 80

export function sellerCommand(): Command {
  return new Command('seller')
    .description('Show what a seller sold: summary, revenue and orders over time, best products.')
    .argument('<id>', 'id of the seller')
    .option('--start <day>', 'the first day, e.g. 2026-03-01 (default: 29 days before the last day)')
    .option('--end <day>', 'the last day (default: today)')
    .addOption(new Option('--granularity <bucket>', 'the time that a bar stands for').choices(GRANULARITIES).default('day'))
    .option('--time-zone <zone>', 'time zone of the days, e.g. Europe/Berlin', 'UTC')
    .option('--currency <code>', 'ISO 4217 code, e.g. EUR (default: the currency with the most orders)')
    .option('--json', 'as JSON')
    .action(async (id: string, { timeZone, json, ...options }: Options) => {
      const { seller_id: _, ...request } = requestOf({ ...options, time_zone: timeZone, seller_id: id })
      const config = readConfig(process.env)
      await withDatabase(config, { name: 'footfall seller', readOnly: true }, async (db) => {
        const now = { nowMs: Date.now(), pendingDays: config.PENDING_DAYS }
        const dashboard = await sellerDashboard(db, id, request, now).catch((error: unknown) => {
          throw error instanceof DecidedError && error.field !== undefined
            ? new UsageError(sentenceOf(error.field, error.problem))
            : error
        })
        if (json) printJson(dashboard)
        else printStyled(linesOf(dashboard, process.stdout.columns || COLUMNS_USUAL))
      })
    })
}

function requestOf(fields: Record<string, unknown>): SellerDashboardRequest {
  const { data, error } = SellerDashboardRequest.safeParse(fields, { error: plainMessage })
  if (data !== undefined) return data
  const { path, message } = error.issues[0]!
  throw new UsageError(sentenceOf(String(path[0]), message))
}

function sentenceOf(field: string, message: string): string {
  return `${field === 'seller_id' ? 'The id of the seller' : `--${field.replaceAll('_', '-')}`} ${message}.`
}
