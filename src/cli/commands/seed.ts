import { Command } from 'commander'
import type { ReportRow } from '../../contract/report.ts'
import { SEED_DAYS, SEED_EVENTS, seedEvents, startOfDay } from '../seed/events.ts'
import { runSeed } from '../seed/run.ts'
import { readConfig } from '../../main/config/config.ts'
import { wholeNumber } from './whole-number.ts'
import { moneyIn } from '../terminal/money.ts'
import { print, printJson, printTable } from '../terminal/output.ts'

const SEED_MAX = 2 ** 32 - 1

export function seedCommand(): Command {
  return new Command('seed')
    .description(
      `Record ${SEED_EVENTS.toLocaleString('en')} plausible analytics events of the last ${SEED_DAYS} days, the same all day, and compute the reports. Footfall must be running.`,
    )
    .option('--seed <number>', 'another seed gives other events', wholeNumber(0, SEED_MAX), 1)
    .option('--json', 'as JSON')
    .action(async ({ seed, json }: { seed: number; json?: boolean }) => {
      const config = readConfig(process.env)
      const endMs = startOfDay(Date.now())
      const { recorded, reports } = await runSeed(config, { events: seedEvents(seed, endMs), endMs })
      if (json) {
        printJson({ recorded, reports })
        return
      }
      print(
        `Recorded ${recorded.accepted.toLocaleString('en')} events; ${recorded.duplicates.toLocaleString('en')} were recorded before.`,
      )
      if (recorded.rejected > 0) print(`${recorded.rejected.toLocaleString('en')} are too old to be recorded.`)
      for (const { slug, rows } of reports) {
        print('', slug)
        printTable(rows.map(reportTableRow))
      }
    })
}

/** A row of a report as a row of the table. */
export function reportTableRow({ amounts, processing_ms_avg: averageMs, ...row }: ReportRow) {
  return {
    ...row,
    amounts: amounts.map(({ currency, amount }) => moneyIn(currency)(amount)).join(', '),
    processing_ms_avg: averageMs === null ? null : Math.round(averageMs),
  }
}
