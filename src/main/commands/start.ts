import { Command } from 'commander'
import { addressesOf, readConfig } from '../config.ts'
import { startEverything } from '../start.ts'
import { untilTold } from '../until-told.ts'

const IMPATIENCE_MS = 1_000

export function startCommand(): Command {
  return new Command('start')
    .description('Run everything: PostgreSQL, Restate, the services and the gateway. Ctrl-C stops it.')
    .action(async () => {
      const config = readConfig(process.env)
      const startedAt = performance.now()
      const told = untilTold()
      const running = await startEverything(config, (line) => console.log(line))
      console.log(greeting(((performance.now() - startedAt) / 1_000).toFixed(1), addressesOf(config), running.logFolder))
      await told
      // Only a later Ctrl-C means that it takes too long; the next one may be the same, passed on by npm.
      setTimeout(() => {
        process.once('SIGINT', () => {
          running.kill()
          process.exit(130)
        })
      }, IMPATIENCE_MS).unref()
      console.log('Stopping.')
      await running.stop()
      process.exit(0)
    })
}

function greeting(
  seconds: string,
  { gatewayUrl, adminUrl }: { gatewayUrl: string; adminUrl: string },
  logFolder: string,
): string {
  return `
Footfall is ready after ${seconds} s. Ctrl-C stops it.

  REST        ${gatewayUrl}  (the API: ${gatewayUrl}/openapi.json)
  Restate UI  ${adminUrl}/ui
  Logs        ${logFolder}

Record a purchase, then ask what is popular:

  curl -s ${gatewayUrl}/api/v1/analytic/interaction -H 'content-type: application/json' -d '{"interactions":[{"account_id":"ada","event_type":"purchase","ref_type":"Product","ref_id":"lamp"}]}'
  curl -s ${gatewayUrl}/api/v1/analytic/popularity/top
`
}
