import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { DecidedError } from '../contract/decided-error.ts'
import { CHECKOUT } from '../main/config/checkout.ts'
import { StartError } from '../main/config/start-error.ts'

/** Each is loaded when it is called: all of them together take 0.2 s longer. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  start: async () => (await import('./commands/start.ts')).startCommand(),
  endpoint: async () => (await import('./commands/processes.ts')).endpointCommand(),
  gateway: async () => (await import('./commands/processes.ts')).gatewayCommand(),
  register: async () => (await import('./commands/register.ts')).registerCommand(),
  migrate: async () => (await import('./commands/migrate.ts')).migrateCommand(),
  import: async () => (await import('./commands/import.ts')).importCommand(),
  demo: async () => (await import('./commands/demo.ts')).demoCommand(),
  key: async () => (await import('./commands/key.ts')).keyCommand(),
  top: async () => (await import('./commands/top.ts')).topCommand(),
  sign: async () => (await import('./commands/sign.ts')).signCommand(),
  seller: async () => (await import('./commands/seller.ts')).sellerCommand(),
  backlog: async () => (await import('./commands/backlog.ts')).backlogCommand(),
  rejected: async () => (await import('./commands/rejected.ts')).rejectedCommand(),
  schedules: async () => (await import('./commands/schedules.ts')).schedulesCommand(),
  verify: async () => (await import('./commands/verify.ts')).verifyCommand(),
  seed: async () => (await import('./commands/seed.ts')).seedCommand(),
  source: async () => (await import('./commands/source.ts')).sourceCommand(),
  recompute: async () => (await import('./commands/recompute.ts')).recomputeCommand(),
  rescore: async () => (await import('./commands/rescore.ts')).rescoreCommand(),
}

const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }

const program = new Command('footfall')
  .description('Shopper interactions in, exactly-once popularity out.')
  .version(version)
  .showHelpAfterError()

const [, , called = ''] = process.argv
// Help, and a name that is none, are about all of them.
const wanted = Object.hasOwn(COMMANDS, called) ? [called] : Object.keys(COMMANDS)
for (const name of wanted) program.addCommand(await COMMANDS[name]!())

try {
  await program.parseAsync()
} catch (error) {
  console.error(sentenceOf(error) ?? error)
  // What was started already, a server that listens for example, would go on.
  process.exit(1)
}

/** What the person at the terminal can do about it; undefined for an error of the program. */
function sentenceOf(error: unknown): string | undefined {
  if (error instanceof StartError || error instanceof DecidedError) return error.message
  const { code, port } = error as NodeJS.ErrnoException & { port?: number }
  return code === 'EADDRINUSE'
    ? `In use already: port ${port}; stop what has it, or set another one (docs/configuration.md).`
    : undefined
}
