import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { DecidedError } from '../contract/decided-error.ts'
import { CHECKOUT } from '../main/config/checkout.ts'
import { StartError } from '../main/config/start-error.ts'
import { COMMANDS } from './commands/all.ts'

const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }

const program = new Command('footfall')
  .description('Shopper interactions in, exactly-once popularity out.')
  .version(version)
  .showHelpAfterError()

const [, , called = ''] = process.argv
// The help lists all commands, and so does the message about a name that does not exist.
const wanted = Object.hasOwn(COMMANDS, called) ? [called] : Object.keys(COMMANDS)
for (const name of wanted) program.addCommand(await COMMANDS[name]!())

try {
  await program.parseAsync()
} catch (error) {
  console.error(sentenceOf(error) ?? error)
  // A server that already listens, e.g. the gateway, would keep this process alive.
  process.exit(1)
}

/** What the person at the terminal can do about an error; undefined for an error of the program. */
function sentenceOf(error: unknown): string | undefined {
  if (error instanceof StartError || error instanceof DecidedError) return error.message
  const { code, port } = error as NodeJS.ErrnoException & { port?: number }
  return code === 'EADDRINUSE'
    ? `In use already: port ${port}; stop the program that has it, or set another port (docs/configuration.md).`
    : undefined
}
