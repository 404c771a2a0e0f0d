import { createHmac, createHash, pbkdf2Sync, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Queryable, Database } from '../database/connection.ts'
import { alterTables } from '../database/locks.ts'
import { LOG_TABLES } from '../log/month.ts'
import { audit } from '../audit/audit-entry.ts'

/** The processes as database users. Each logs in with its own password and has the privileges that it needs. */
export const ROLES = ['endpoint', 'gateway'] as const
export type Role = (typeof ROLES)[number]

const SCHEMAS = ['public', 'catalog']

/** Tables where the endpoint has fewer privileges than select, insert, update and delete. */
const LIMITED: Record<string, string> = {
  // The database sets the number and the time of an entry.
  audit_entry: 'select, insert (actor, action, resource_type, resource_id, metadata)',
  // Money: callbacks and what follows from them can only be added.
  payment_callback: 'select, insert, update (refused)',
  sale_line: 'select, insert',
  analytics_event_key: 'select, insert',
  migration: 'select',
  // A release defines the reports.
  report_definition: 'select',
  aggregate_window: 'select',
  api_key: 'select',
}

/** The user that a role logs in as. */
export function userOf(role: Role): string {
  return `footfall_${role}`
}

/**
 * Creates or updates the roles. The gateway reads. The endpoint writes, but cannot change audit entries or what was paid. Neither can
 * create anything. The endpoint owns the tables of the log, because only an owner can detach months; the months stay with the owner
 * of the database. Safe to repeat. Needs a user that can create roles and owns the tables.
 */
export async function grantRoles(db: Database, passwords: Partial<Record<Role, string>>, actor: string): Promise<void> {
  await alterTables(db, async (tx) => {
    for (const role of ROLES) {
      const password = passwords[role]
      if (password !== undefined) await makeRole(tx, role, password)
    }
    if (passwords.gateway !== undefined) await grantReading(tx, userOf('gateway'))
    if (passwords.endpoint !== undefined) await grantWriting(tx, userOf('endpoint'))
    await audit(tx, {
      actor,
      action: 'database.grant',
      resourceType: 'database',
      resourceId: 'footfall',
      metadata: { roles: Object.keys(passwords) },
    })
  })
}

async function makeRole(tx: Queryable, role: Role, password: string): Promise<void> {
  const user = sql.id(userOf(role))
  const { rows } = await sql`select from pg_roles where rolname = ${userOf(role)}`.execute(tx)
  const make = sql.raw(rows.length === 0 ? 'create' : 'alter')
  await sql`${make} role ${user} login password ${sql.lit(verifierOf(password))}`.execute(tx)
  if (role === 'gateway') await sql`alter role ${user} set default_transaction_read_only = on`.execute(tx)
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

async function grantReading(tx: Queryable, user: string): Promise<void> {
  const role = sql.id(user)
  for (const schema of SCHEMAS) {
    await sql`grant usage on schema ${sql.id(schema)} to ${role}`.execute(tx)
    await sql`grant select on all tables in schema ${sql.id(schema)} to ${role}`.execute(tx)
  }
}

async function grantWriting(tx: Queryable, user: string): Promise<void> {
  const role = sql.id(user)
  for (const schema of SCHEMAS) {
    await sql`grant usage on schema ${sql.id(schema)} to ${role}`.execute(tx)
    await sql`grant select, insert, update, delete on all tables in schema ${sql.id(schema)} to ${role}`.execute(tx)
    await sql`grant usage on all sequences in schema ${sql.id(schema)} to ${role}`.execute(tx)
  }
  for (const [table, rights] of Object.entries(LIMITED)) {
    await sql`revoke all on ${sql.table(table)} from ${role}`.execute(tx)
    await sql`grant ${sql.raw(rights)} on ${sql.table(table)} to ${role}`.execute(tx)
  }
  await sql`grant execute on function make_log_month(text, date), drop_log_month(text, date) to ${role}`.execute(tx)
  // Lets the migrating user still alter the tables.
  await sql`grant ${role} to current_user`.execute(tx)
  // ALTER TABLE … OWNER TO requires that the new owner may create in the schema.
  await sql`grant create on schema public to ${role}`.execute(tx)
  for (const table of LOG_TABLES) await sql`alter table ${sql.table(table)} owner to ${role}`.execute(tx)
  await sql`revoke create on schema public from ${role}`.execute(tx)
}
