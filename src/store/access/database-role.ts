import { createHmac, createHash, pbkdf2Sync, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Queryable, Database } from '../database/connection.ts'
import { alterTables } from '../database/locks.ts'
import { onlyRow } from '../database/rows.ts'
import { audit } from '../audit/audit-entry.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { FUNCTIONS_OF_ENDPOINT, giveLogToOwner, giveMonthsToOwner } from './log-owner.ts'
import { limitPublic } from './public-privileges.ts'
import { grantReading, grantRecords, grantWriting } from './role-privileges.ts'

/** The processes as database users. Each logs in with its own password and has the privileges that it needs. */
export const ROLES = ['endpoint', 'gateway', 'consumer'] as const
export type Role = (typeof ROLES)[number]
export type Passwords = Partial<Record<Role, string>>

/** The user that a role logs in as. */
export function userOf(role: Role): string {
  return `footfall_${role}`
}

/**
 * Creates or updates the roles. The gateway reads. The endpoint writes, but cannot change audit entries or what was paid. Neither owns
 * or can create anything: the log belongs to a role of its own, whose functions make and drop months for the endpoint, and drop none
 * that ended less than `retentionDays` ago. Safe to repeat. Needs a user that can create roles and owns the tables.
 * @returns SQL that a superuser must run, because this user may not; undefined when there is nothing left to do.
 */
export async function grantRoles(
  db: Database,
  passwords: Passwords,
  actor: string,
  retentionDays?: number,
): Promise<string | undefined> {
  const left = await alterTables(db, async (tx) => {
    for (const role of ROLES) {
      const password = passwords[role]
      if (password !== undefined) await makeRole(tx, role, password)
    }
    if (passwords.gateway !== undefined) await grantReading(tx, userOf('gateway'))
    if (passwords.endpoint !== undefined) await grantToEndpoint(tx, retentionDays)
    if (passwords.consumer !== undefined) await grantRecords(tx, userOf('consumer'))
    await audit(tx, {
      actor,
      action: 'database.grant',
      resourceType: 'database',
      resourceId: 'footfall',
      metadata: { roles: Object.keys(passwords), ...(retentionDays !== undefined && { retention_days: retentionDays }) },
    })
    return limitPublic(tx, (await exists(tx, 'endpoint')) ? [userOf('endpoint')] : [])
  })
  if (passwords.endpoint !== undefined && !(await isDistributed(db))) await giveMonthsToOwner(db, userOf('endpoint'))
  return left
}

async function grantToEndpoint(tx: Queryable, retentionDays: number | undefined): Promise<void> {
  const endpoint = userOf('endpoint')
  if (retentionDays !== undefined) await sql`update log_horizon set keep_days_min = ${retentionDays}`.execute(tx)
  if (await isDistributed(tx))
    await sql`grant execute on function ${sql.raw(FUNCTIONS_OF_ENDPOINT)} to ${sql.id(endpoint)}`.execute(tx)
  else await giveLogToOwner(tx, endpoint)
  await grantWriting(tx, endpoint)
}

async function makeRole(tx: Queryable, role: Role, password: string): Promise<void> {
  const user = sql.id(userOf(role))
  const make = sql.raw((await exists(tx, role)) ? 'alter' : 'create')
  await sql`${make} role ${user} login password ${sql.lit(verifierOf(password))}`.execute(tx)
  // A role may change its own settings, and those that it has in one database.
  const { database } = onlyRow(await sql<{ database: string }>`select current_database() as database`.execute(tx))
  await sql`alter role ${user} reset all`.execute(tx)
  await sql`alter role ${user} in database ${sql.id(database)} reset all`.execute(tx)
  if (role === 'gateway') await sql`alter role ${user} set default_transaction_read_only = on`.execute(tx)
}

async function exists(tx: Queryable, role: Role): Promise<boolean> {
  const { rows } = await sql`select from pg_roles where rolname = ${userOf(role)}`.execute(tx)
  return rows.length > 0
}

/** The SCRAM verifier that PostgreSQL stores (RFC 5803). The statement may be logged, so it must not have the password. */
function verifierOf(password: string): string {
  const iterations = 4096
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest()
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${keyOf('Server Key').toString('base64')}`
}
