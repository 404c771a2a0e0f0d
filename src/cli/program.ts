import { Command } from 'commander'
import { VERSION } from '../main/config/checkout.ts'
import { COMMANDS } from './commands/all.ts'
import { linesOfError } from './terminal/error-lines.ts'
import { exitStatusOf, exitStatusOfParsing } from './terminal/exit-status.ts'
import { printError } from './terminal/output.ts'

const program = new Command('footfall')
  .description('Shopper interactions in, exactly-once popularity out.')
  .version(VERSION)
  .showHelpAfterError()

const [, , called = ''] = process.argv
// The help lists all commands, and so does the message about a name that does not exist.
const wanted = Object.hasOwn(COMMANDS, called) ? [called] : Object.keys(COMMANDS)
for (const name of wanted) program.addCommand(await COMMANDS[name]!())
exitWithOurStatus(program)

try {
  await program.parseAsync()
} catch (error) {
  printError(...linesOfError(error))
  // A server that already listens, e.g. the gateway, would keep this process alive.
  process.exit(exitStatusOf(error))
}

/** Commander exits with 1 when the command line is wrong. Its subcommands do not inherit this. */
function exitWithOurStatus(command: Command): void {
  command.exitOverride((parsing) => process.exit(exitStatusOfParsing(parsing)))
  for (const subcommand of command.commands) exitWithOurStatus(subcommand)
}
