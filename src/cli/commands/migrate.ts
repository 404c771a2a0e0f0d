import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { connectedProcesses, distribute, distributionSteps } from '../../store/access/distribute.ts'
import { grantRoles, type Passwords, type Role, ROLES, userOf } from '../../store/access/database-role.ts'
import type { Database } from '../../store/database/connection.ts'
import { PLACEMENTS } from '../../store/database/distribution.ts'
import { actor } from '../terminal/actor.ts'
import { UsageError } from '../../main/config/start-error.ts'
import { CHECKOUT } from '../../main/config/checkout.ts'
import { readConfig } from '../../main/config/config.ts'
import { readSecret } from '../../main/config/secret.ts'
import { prepareDatabase } from '../../main/database/prepare-database.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { print, printError } from '../terminal/output.ts'
import { wholeNumber } from './whole-number.ts'

const SHARDS_MAX = 1_024

const AND = new Intl.ListFormat('en-GB', { type: 'conjunction' })
const OR = new Intl.ListFormat('en-GB', { type: 'disjunction' })

const LEFT =
  'Every user of this database may still make temporary tables or large objects, or hold the locks that counting needs. Let a superuser of PostgreSQL run this SQL in it, once:'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('Apply sql/ to the database and prepare it for the program. Safe to repeat.')
    .option(
      '--role <role=file>',
      `${OR.format(ROLES)}: create its database user (${ROLES.map(userOf).join(', ')}) with its privileges and the password in the file; repeatable`,
      passwordsOf,
    )
    .option('--citus', 'place the tables on the nodes of Citus; repeat it after each update of Footfall')
    .option('--shards <count>', 'with --citus: shards of each distributed table', wholeNumber(1, SHARDS_MAX), 8)
    .option('--dry-run', 'with --citus: print the SQL, and change nothing')
    .action(async ({ role: passwords = {}, citus = false, shards, dryRun = false }: MigrateOptions) => {
      if (dryRun && !citus) throw new UsageError('--dry-run is for --citus.')
      if (dryRun && Object.keys(passwords).length > 0) throw new UsageError('--dry-run changes nothing: leave out --role.')
      const config = readConfig(process.env)
      await withDatabase(config, { name: 'footfall migrate', statementMsMax: 0 }, async (db) => {
        if (!dryRun) {
          const applied = await prepareDatabase(db, config)
          print(applied.length === 0 ? 'Nothing to apply.' : `Applied ${applied.join(', ')}.`)
        }
        if (citus) await placeTables(db, { shards, isDry: dryRun })
        const roles = Object.keys(passwords) as Role[]
        if (roles.length === 0) return
        const left = await grantRoles(db, passwords, actor(), config.RETENTION_DAYS)
        print(`${AND.format(roles.map(userOf))} may log in.`)
        if (left !== undefined) printError(LEFT, ...left.split('\n'))
      })
    })
}

interface MigrateOptions {
  role?: Passwords
  citus?: boolean
  shards: number
  dryRun?: boolean
}

async function placeTables(db: Database, { shards, isDry }: { shards: number; isDry: boolean }): Promise<void> {
  const steps = await distributionSteps(db, { functionsFile: join(CHECKOUT, 'sql', 'citus', 'functions.sql'), shards })
  if (isDry) {
    const statements = steps.flatMap((step) => ['begin', ...step, 'commit']).map((text) => `${text.replace(/;$/, '')};`)
    print(...statements.flatMap((text) => text.split('\n')))
    return
  }
  await distribute(db, steps)
  const connected = await connectedProcesses(db)
  // It may have looked for the triggers before they were dropped.
  if (connected.length > 0) printError(`Restart what was started meanwhile: ${connected.join(', ')}.`)
  print(`Citus has ${PLACEMENTS.length} tables. Start the processes of Footfall again.`)
}

function passwordsOf(text: string, before: Passwords = {}): Passwords {
  const [, role, file] = /^(\w+)=(.+)$/.exec(text) ?? []
  if (!ROLES.includes(role as Role)) throw new InvalidArgumentError(`Write ${OR.format(ROLES.map((name) => `${name}=FILE`))}.`)
  return { ...before, [role as Role]: readSecret('--role', file!) }
}
