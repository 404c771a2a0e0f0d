import { Command, InvalidArgumentError, Option } from 'commander'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { clockTicks, runDemo } from '../demo/run.ts'
import { screenOn } from '../demo/screen.ts'
import { tallyText } from '../demo/table.ts'
import { waitForShutdown } from '../../main/shutdown-signal.ts'
import { wholeNumber } from './whole-number.ts'

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
/** A quarter of a year: about 40,000 events. */
const DAYS_MAX = 90
const RATE_MAX = 2_000
const MINUTES_MAX = 24 * 60

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'Play a small shop on a running Footfall: some days of history, then live shoppers, and the top list as it moves.',
    )
    .option('--rate <events>', 'live events per second', wholeNumber(1, RATE_MAX), 20)
    .option('--days <days>', 'of history, sent at once before; 0 for none', wholeNumber(0, DAYS_MAX), 7)
    .option('--minutes <minutes>', 'how long the shoppers come (default: until Ctrl-C)', wholeNumber(1, MINUTES_MAX))
    .option('--seed <number>', 'another seed is another shop', wholeNumber(0, SEED_MAX), 1)
    .option('--gateway <url>', 'the gateway (default: that of npm start)', gatewayOf)
    .addOption(
      new Option('--key <key>', 'an API key that may record and read (and manage, for the catalogue), where keys are needed').env(
        'FOOTFALL_KEY',
      ),
    )
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const told = new AbortController()
      void waitForShutdown().then(() => told.abort())
      const { signal } = told
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
      // The terminal has put ^C where the next line begins.
      if (signal.aborted && process.stdout.isTTY) console.log()
      console.log(`${tallyText(tally)}. Prove the numbers: ./footfall verify`)
    })
}

const HELP = `
The events of the history are the same whenever it is sent: their ids are made of the seed and the hour, so that sending it
again adds nothing twice. Live events are new each time. After 15 seconds a product that hardly anybody asked for goes viral.
`

function gatewayOf(text: string): string {
  if (URL.canParse(text) && /^https?:\/\//.test(text)) return text.replace(/\/+$/, '')
  throw new InvalidArgumentError('It is a URL such as http://127.0.0.1:3000.')
}
