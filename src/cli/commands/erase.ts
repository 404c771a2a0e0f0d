import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { ERASURE_STEPS, ErasureRun } from '../../contract/erasure.ts'
import { type Shopper, shopperIdOf } from '../../contract/fields/shopper-id.ts'
import { StartError } from '../../main/config/start-error.ts'
import { actor } from '../terminal/actor.ts'
import { type AskForText, isConfirmedById } from '../terminal/confirm.ts'
import { type Gateway, GatewayError } from '../gateway/client.ts'
import { print, printError, printJson, printTable } from '../terminal/output.ts'
import { runProgressOn, type RunView } from '../terminal/run-progress.ts'
import { gatewayOf, type GatewayOptions, withGatewayOptions } from './gateway-option.ts'
import { shopperArgument, shopperPath } from './shopper-argument.ts'

const POLL_MS = 300
/** For as long a gateway that restarts may not answer. The run continues in any case. */
const PATIENCE_MS = 60_000

interface Options extends GatewayOptions {
  yes?: boolean
  wait: boolean
  json?: boolean
}

const Run = z.object({ data: ErasureRun })

export function eraseCommand(ask?: AskForText): Command {
  const command = new Command('erase')
    .description('Erase a person for good, and wait for the certificate. Asks for the id first. Exit 1 when the run failed.')
    .argument('<shopper>', 'account:<account_id> or session:<session_id>', shopperArgument)
    .option('--yes', 'do not ask')
    .option('--no-wait', 'start the run and return; it continues by itself')
    .option('--json', 'print the run as JSON')
    .addHelpText('after', HELP)
  return withGatewayOptions(command, 'manage').action(async (shopper: Shopper, options: Options) => {
    const gateway = gatewayOf(options)
    const question = `Erase ${shopperIdOf(shopper)} for good? A merged session stands for its account, and an account for all of its sessions.`
    const isConfirmed = await isConfirmedById(question, shopperIdOf(shopper), { yes: options.yes, ...(ask && { ask }) })
    if (!isConfirmed) return print('Nothing was erased.')
    const asked = { method: 'DELETE', headers: { 'x-actor': encodedActor() } } as const
    const { data } = (await gateway.ask(Run, shopperPath(shopper), asked)).answer
    const run = options.wait ? await waitForEnd(gateway, data) : data
    process.exitCode = run.status === 'failed' ? 1 : 0
    if (options.json) printJson(run)
    else printRun(run)
  })
}

/** Waits for the end of a run. A wait that is interrupted does not end the run. */
async function waitForEnd(gateway: Gateway, started: ErasureRun): Promise<ErasureRun> {
  const address = `${gateway.url}/api/v1/erasures/${started.id}`
  const progress = runProgressOn(process.stderr, STEPS, () => printError(`The run continues: ${address} has its state.`))
  try {
    let run = started
    for (let answeredAt = performance.now(); isOpen(run);) {
      progress.report(run)
      await sleep(POLL_MS)
      const next = await stateOf(gateway, run)
      if (next !== undefined) [run, answeredAt] = [next, performance.now()]
      else if (performance.now() - answeredAt > PATIENCE_MS)
        throw new StartError(`The gateway does not answer. The run continues: ${address} has its state.`)
    }
    return run
  } finally {
    progress.stop()
  }
}

const isOpen = ({ status }: ErasureRun) => status === 'pending' || status === 'running'

/** Undefined while the gateway or its database is away. */
async function stateOf(gateway: Gateway, { id }: ErasureRun): Promise<ErasureRun | undefined> {
  try {
    return (await gateway.ask(Run, `/api/v1/erasures/${id}`)).answer.data
  } catch (error) {
    const { status = 503 } = error instanceof GatewayError ? error : { status: 0 }
    if (status >= 500 || status === 429) return undefined
    throw error
  }
}

const STEPS: RunView<ErasureRun> = {
  // A part of the release before is in no list, and begins again with the first one.
  shareOf: ({ step }) =>
    Math.max(
      0,
      ERASURE_STEPS.findIndex((each) => each === step),
    ) / ERASURE_STEPS.length,
  describe: ({ status, step }) => `${status}: ${step}`,
}

function printRun({ id, status, certificate, error_message: message }: ErasureRun): void {
  if (certificate !== undefined) {
    print(`Erased up to ${certificate.erased_at} by run ${id}.`)
    printTable(Object.fromEntries(Object.entries(certificate.tables).map(([table, rows]) => [table, { rows }])))
    print(`SHA-256 ${certificate.sha256}`)
  } else if (status === 'failed') print(`Run ${id} failed: ${message ?? 'no reason is known'}. Erase the shopper again.`)
  else print(`Run ${id} is ${status}, and continues by itself.`)
}

/** Headers have no characters beyond Latin-1. */
function encodedActor(): string {
  const name = actor()
  return /^[\x20-\x7e]+$/.test(name) ? name : encodeURIComponent(name)
}

const HELP = `
It cannot be undone. Numbers of products stay, and the certificate is in the audit trail. docs/shoppers.md says what is erased, and what
is not. A run that has begun continues when this command is interrupted.

  ./footfall export account:dana dana.jsonl
  ./footfall erase account:dana
`
