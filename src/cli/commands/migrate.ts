import { Command, InvalidArgumentError } from 'commander'
import { grantRoles, type Passwords, type Role, ROLES, userOf } from '../../store/access/database-role.ts'
import { actor } from '../terminal/actor.ts'
import { readConfig } from '../../main/config/config.ts'
import { readSecret } from '../../main/config/secret.ts'
import { prepareDatabase } from '../../main/database/prepare-database.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { print, printError } from '../terminal/output.ts'

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
    .action(async ({ role: passwords = {} }: { role?: Passwords }) => {
      const config = readConfig(process.env)
      await withDatabase(config, { name: 'footfall migrate', statementMsMax: 0 }, async (db) => {
        const applied = await prepareDatabase(db, config)
        print(applied.length === 0 ? 'Nothing to apply.' : `Applied ${applied.join(', ')}.`)
        const roles = Object.keys(passwords) as Role[]
        if (roles.length === 0) return
        const left = await grantRoles(db, passwords, actor(), config.RETENTION_DAYS)
        print(`${AND.format(roles.map(userOf))} may log in.`)
        if (left !== undefined) printError(LEFT, ...left.split('\n'))
      })
    })
}

function passwordsOf(text: string, before: Passwords = {}): Passwords {
  const [, role, file] = /^(\w+)=(.+)$/.exec(text) ?? []
  if (!ROLES.includes(role as Role)) throw new InvalidArgumentError(`Write ${OR.format(ROLES.map((name) => `${name}=FILE`))}.`)
  return { ...before, [role as Role]: readSecret('--role', file!) }
}
