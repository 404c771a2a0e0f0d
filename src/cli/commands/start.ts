import { Command } from 'commander'
import { addressesOf, restateUiUrlOf } from '../../main/config/addresses.ts'
import { openPreparation } from '../../main/preparation.ts'
import { type Running, startEverything } from '../../main/start.ts'
import { giveBackMemory } from '../../main/processes/give-back-memory.ts'
import { waitForShutdown } from '../../main/shutdown-signal.ts'
import { linesOfError } from '../terminal/error-lines.ts'
import { print, printError } from '../terminal/output.ts'

const IMPATIENCE_MS = 1_000

export function startCommand(): Command {
  return new Command('start')
    .description('Run everything: PostgreSQL, Restate, the services and the gateway. Ctrl-C stops it.')
    .action(async () => {
      const startedAt = performance.now()
      const shutdown = waitForShutdown()
      const preparation = openPreparation()
      const config = await preparation.run('readConfig')
      const running = await startEverything(config, { preparation, print })
      try {
        // Ctrl-C ends a start too, because a start may take long, e.g. after a crash.
        const isReady = await Promise.race([running.ready.then(() => true), shutdown.then(() => false)])
        const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
        if (isReady)
          print(
            ...greeting(seconds, { ...addressesOf(config), restateUiUrl: restateUiUrlOf(config) }, running.logFolder).split('\n'),
          )
        giveBackMemory()
        await shutdown
      } catch (error) {
        await running.stop()
        printError(...linesOfError(error))
        process.exit(1)
      }
      running.ready.catch(() => undefined)
      print('Stopping.')
      killAtNextCtrlC(running)
      await running.stop()
      process.exit(0)
    })
}

/** Kills everything at another Ctrl-C. It listens after a second, because npm may pass the first Ctrl-C on a second time. */
function killAtNextCtrlC(running: Running): void {
  const listen = () => {
    process.once('SIGINT', () => {
      running.kill()
      process.exit(130)
    })
  }
  setTimeout(listen, IMPATIENCE_MS).unref()
}

function greeting(
  seconds: string,
  { gatewayUrl, restateUiUrl = '' }: { gatewayUrl: string; restateUiUrl: string | undefined },
  logFolder: string,
): string {
  return `
Footfall is ready after ${seconds} s. Ctrl-C stops it.

  Page        ${gatewayUrl}  (what is hot, live)
  REST        ${gatewayUrl}/api  (the API, to be tried out: ${gatewayUrl}/docs)
  Restate UI  ${restateUiUrl}
  Logs        ${logFolder}

Record a purchase, then ask what is popular:

  curl -s ${gatewayUrl}/api/v1/analytic/interaction -H 'content-type: application/json' -d '{"interactions":[{"account_id":"ada","event_type":"purchase","ref_type":"Product","ref_id":"lamp"}]}'
  curl -s ${gatewayUrl}/api/v1/analytic/popularity/top
`
}
