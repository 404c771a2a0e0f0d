import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { CHECKOUT } from './config.ts'
import { StartError } from './embedded/process.ts'

/** Each is loaded when it is called: all of them together take 0.2 s longer. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  start: async () => (await import('./commands/start.ts')).startCommand(),
  migrate: async () => (await import('./commands/migrate.ts')).migrateCommand(),
  import: async () => (await import('./commands/import.ts')).importCommand(),
  demo: async () => (await import('./commands/demo.ts')).demoCommand(),
  key: async () => (await import('./commands/key.ts')).keyCommand(),
  top: async () => (await import('./commands/top.ts')).topCommand(),
  backlog: async () => (await import('./commands/backlog.ts')).backlogCommand(),
  rejected: async () => (await import('./commands/rejected.ts')).rejectedCommand(),
  schedules: async () => (await import('./commands/schedules.ts')).schedulesCommand(),
  verify: async () => (await import('./commands/verify.ts')).verifyCommand(),
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
  console.error(error instanceof StartError ? error.message : error)
  process.exitCode = 1
}
