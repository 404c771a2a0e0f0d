import { Command } from 'commander'
import { readConfig } from '../config.ts'
import { prepareDatabase } from '../prepare-database.ts'
import { withDatabase } from '../reach.ts'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('Apply sql/ to the database, and make what the program needs in it. Safe to repeat.')
    .action(async () => {
      const config = readConfig(process.env)
      await withDatabase(config, { name: 'footfall migrate', statementMsMax: 0 }, async (db) => {
        const applied = await prepareDatabase(db, config)
        console.log(applied.length === 0 ? 'Nothing to apply.' : `Applied ${applied.join(', ')}.`)
      })
    })
}
