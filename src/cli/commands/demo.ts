import { Command, Option } from 'commander'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { clockTicks, runDemo } from '../demo/run.ts'
import { screenOn } from '../demo/screen.ts'
import { tallyText } from '../demo/table.ts'
import { waitForShutdown } from '../../main/shutdown-signal.ts'
import { gatewayUrl } from './gateway-url.ts'
import { wholeNumber } from './whole-number.ts'
import { print } from '../terminal/output.ts'

interface Options {
  gateway?: string
  key?: string
  seed: number
  days: number
  rate: number
  minutes?: number
}

const TICK_MS = 500
const SEED_MAX = 2 ** 32 - 1
/** A quarter of a year, about 40,000 events. */
const DAYS_MAX = 90
const RATE_MAX = 2_000
const MINUTES_MAX = 24 * 60

export function demoCommand(): Command {
  return new Command('demo')
    .description('Play a small shop on a running Footfall: days of history, then live shoppers, and the top list as it changes.')
    .option('--rate <events>', 'live events per second', wholeNumber(1, RATE_MAX), 20)
    .option('--days <days>', 'days of history, sent before the live events; 0 for none', wholeNumber(0, DAYS_MAX), 7)
    .option('--minutes <minutes>', 'how long live events are sent (default: until Ctrl-C)', wholeNumber(1, MINUTES_MAX))
    .option('--seed <number>', 'another seed gives another shop', wholeNumber(0, SEED_MAX), 1)
    .option('--gateway <url>', 'address of the gateway (default: the gateway of npm start)', gatewayUrl)
    .addOption(
      new Option(
        '--key <key>',
        'an API key with the scopes ingest and read (and manage, for the catalog), once there are keys',
      ).env('FOOTFALL_KEY'),
    )
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const shutdown = new AbortController()
      void waitForShutdown().then(() => shutdown.abort())
      const { signal } = shutdown
      const endMs = (options.minutes ?? Number.POSITIVE_INFINITY) * 60_000
      const plan = {
        ...options,
        key: options.key === '' ? undefined : options.key,
        gatewayUrl: options.gateway ?? addressesOf(readConfig(process.env)).gatewayUrl,
        nowMs: Date.now(),
        ticks: clockTicks(TICK_MS, endMs, signal),
        signal,
      }
      const tally = await runDemo(plan, screenOn(process.stdout))
      // The terminal has printed ^C at the start of the line.
      if (signal.aborted && process.stdout.isTTY) print('')
      print(`${tallyText(tally)}. Prove the numbers: ./footfall verify`)
    })
}

const HELP = `
Ids of history events are made from the seed and the hour, so sending the history again adds nothing. Live events are new
each time. After 15 seconds a product that few shoppers looked at goes viral.
`
