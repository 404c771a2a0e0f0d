import { Command } from 'commander'
import { backlogCommand } from './commands/backlog.ts'
import { importCommand } from './commands/import.ts'
import { migrateCommand } from './commands/migrate.ts'
import { rescoreCommand } from './commands/rescore.ts'
import { startCommand } from './commands/start.ts'
import { topCommand } from './commands/top.ts'
import { verifyCommand } from './commands/verify.ts'
import { StartError } from './embedded/process.ts'

const program = new Command('footfall')
  .description('Shopper interactions in, exactly-once popularity out.')
  .addCommand(startCommand())
  .addCommand(migrateCommand())
  .addCommand(importCommand())
  .addCommand(topCommand())
  .addCommand(backlogCommand())
  .addCommand(verifyCommand())
  .addCommand(rescoreCommand())
  .showHelpAfterError()

try {
  await program.parseAsync()
} catch (error) {
  console.error(error instanceof StartError ? error.message : error)
  process.exitCode = 1
}
