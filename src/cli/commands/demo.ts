import { existsSync } from 'node:fs'
import { Command, Option } from 'commander'
import { type Config, readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { paymentSecretsOf } from '../../main/config/payments.ts'
import { paymentSecretFileOf } from '../../main/database/home-paths.ts'
import { clockTicks, runDemo } from '../demo/run.ts'
import { screenOn } from '../demo/screen.ts'
import { SURGE } from '../demo/story.ts'
import { tallyText } from '../demo/table.ts'
import { waitForShutdown } from '../../main/shutdown-signal.ts'
import { gatewayUrl } from './gateway-url.ts'
import { numberFrom } from './number-from.ts'
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
const DAYS_MAX = 90
/** Two weeks, so that every change against the week before has one, and the day that runs. */
const DAYS_DEFAULT = 15
const RATE_DEFAULT = 0.25
const RATE_MIN = 0.01
const RATE_MAX = 10
const MINUTES_MAX = 24 * 60

export function demoCommand(): Command {
  return new Command('demo')
    .description('Play a small shop on a running Footfall: days of history, then live shoppers, and the top list as it changes.')
    .option('--rate <events>', 'events per second, on the average of a day', numberFrom(RATE_MIN, RATE_MAX), RATE_DEFAULT)
    .option('--days <days>', 'days of history, sent before the live events; 0 for none', wholeNumber(0, DAYS_MAX), DAYS_DEFAULT)
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
      const config = readConfig(process.env)
      const plan = {
        ...options,
        key: options.key === '' ? undefined : options.key,
        gatewayUrl: options.gateway ?? addressesOf(config).gatewayUrl,
        paymentSecret: paymentSecretIn(config),
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

/** The secret of npm start's gateway; undefined where there is none, as next to the gateway of another machine. */
function paymentSecretIn(config: Config): string | undefined {
  const file = config.PAYMENT_SECRET_FILE ?? paymentSecretFileOf(config)
  return existsSync(file) ? paymentSecretsOf({ PAYMENT_SECRET_FILE: file }).at(-1) : undefined
}

const HELP = `
Ids of history events are made from the seed and the hour, so sending the history again adds nothing. The last 24 hours have as many events
as the live stream, and the days before them soon a tenth as many. Live events are new each time. After 15 seconds a product that few shoppers
looked at goes viral, with ${SURGE} times as many events. Payments need the secret of the gateway (PAYMENT_SECRET_FILE, or that of npm start); without
it purchases are interactions.
`
