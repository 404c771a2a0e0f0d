import { Command } from 'commander'
import { z } from 'zod'
import { type Shopper, shopperIdOf } from '../../contract/fields/shopper-id.ts'
import { SubmittedResponse } from '../../contract/interaction.ts'
import { MergeResponse } from '../../contract/shopper-merge.ts'
import { StartError } from '../../main/config/start-error.ts'
import { GatewayError } from '../gateway/client.ts'
import { print, printJson } from '../terminal/output.ts'
import { gatewayOf, type GatewayOptions, withGatewayOptions } from './gateway-option.ts'
import { shopperOfKind, shopperPath } from './shopper-argument.ts'

const Answer = z.union([MergeResponse, z.object({ data: SubmittedResponse })])

export function mergeCommand(): Command {
  const command = new Command('merge')
    .description('Note that a session belongs to an account, for ever: what it did and will do counts for the account, too.')
    .argument('<session>', 'session:<session_id>', shopperOfKind('session'))
    .argument('<account>', 'account:<account_id>', shopperOfKind('account'))
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', HELP)
  return withGatewayOptions(command, 'ingest').action(
    async (session: Shopper, account: Shopper, { json, ...options }: GatewayOptions & { json?: boolean }) => {
      const asked = { method: 'POST', body: { account_id: account.id } } as const
      const { answer } = await gatewayOf(options).ask(Answer, shopperPath(session, '/merge'), asked).catch(namingOther)
      const { data } = answer
      if (json) printJson(data)
      else if ('merged_at' in data) print(`${shopperIdOf(session)} belongs to ${shopperIdOf(account)} since ${data.merged_at}.`)
      else print('Restate has the merge, and makes it when PostgreSQL is back. Repeat the command then to see its outcome.')
    },
  )
}

/** @throws the same error, with the account that has the session. */
function namingOther(error: unknown): never {
  const { id } = (error instanceof GatewayError && error.status === 409 ? error.details : {}) as { id?: unknown }
  throw typeof id === 'string' ? new StartError(`The session belongs to account:${id} already.`, { cause: error }) : error
}

const HELP = `
It cannot be undone, and the first account of a session wins. Repeating it changes nothing.

  ./footfall merge session:s-7 account:cleo
`
