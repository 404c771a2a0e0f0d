import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { backlogCommand } from './commands/backlog.ts'
import { demoCommand } from './commands/demo.ts'
import { importCommand } from './commands/import.ts'
import { keyCommand } from './commands/key.ts'
import { migrateCommand } from './commands/migrate.ts'
import { rejectedCommand } from './commands/rejected.ts'
import { rescoreCommand } from './commands/rescore.ts'
import { schedulesCommand } from './commands/schedules.ts'
import { startCommand } from './commands/start.ts'
import { topCommand } from './commands/top.ts'
import { verifyCommand } from './commands/verify.ts'
import { CHECKOUT } from './config.ts'
import { StartError } from './embedded/process.ts'

const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }

const program = new Command('footfall')
  .description('Shopper interactions in, exactly-once popularity out.')
  .version(version)
  .addCommand(startCommand())
  .addCommand(migrateCommand())
  .addCommand(importCommand())
  .addCommand(demoCommand())
  .addCommand(keyCommand())
  .addCommand(topCommand())
  .addCommand(backlogCommand())
  .addCommand(rejectedCommand())
  .addCommand(schedulesCommand())
  .addCommand(verifyCommand())
  .addCommand(rescoreCommand())
  .showHelpAfterError()

try {
  await program.parseAsync()
} catch (error) {
  console.error(error instanceof StartError ? error.message : error)
  process.exitCode = 1
}
