import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { readConfig } from '../../../src/main/config/config.ts'
import { prepareDatabase } from '../../../src/main/database/prepare-database.ts'
import { grantRoles, type Role, ROLES, userOf } from '../../../src/store/access/database-role.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import { startTestPostgres } from './postgres.ts'

const MAKE_OWNER = join(import.meta.dirname, '..', '..', '..', 'ops', 'compose', 'make-owner.sh')

const OWNER = 'footfall_owner'
export const COMPOSE_PASSWORDS: Record<Role, string> = { endpoint: 'test', gateway: 'test', consumer: 'test' }

/** A PostgreSQL whose users are those of docker-compose.yml: a server of its own, because users belong to the server. */
export interface ComposeServer {
  urlAs: (user: string, database?: string) => string
  /** Opens a pool, which `stop` closes. */
  open: (user: string, database?: string) => Database
  superuser: Database
  owner: Database
  stop: () => Promise<void>
}

/** Starts a server with the database `footfall`, as docker-compose.yml does before it migrates. */
export async function startComposeServer(): Promise<ComposeServer> {
  const server = await startTestPostgres()
  const pools: Database[] = []
  const urlAs = (user: string, database = 'footfall') => {
    const url = new URL(server.url)
    Object.assign(url, { username: user, pathname: `/${database}`, ...(user !== 'postgres' && { password: 'test' }) })
    return url.href
  }
  const open = (user: string, database?: string) => {
    pools.push(connect({ url: urlAs(user, database), name: 'test', connectionsMax: 3 }))
    return pools.at(-1)!
  }
  const first = connect({ url: server.url, name: 'test', connectionsMax: 1 })
  await sql`create database footfall`.execute(first)
  await first.destroy()
  const superuser = open('postgres')
  await sql.raw(await ownerSql()).execute(superuser)
  const stop = async () => {
    await Promise.all(pools.map((pool) => pool.destroy()))
    await server.stop()
  }
  return { urlAs, open, superuser, owner: open(OWNER), stop }
}

export interface ComposeDatabase extends ComposeServer {
  endpoint: Database
  gateway: Database
}

/** Prepares the database with its users as docker-compose.yml does. */
export async function startComposeDatabase(retentionDays?: number): Promise<ComposeDatabase> {
  const server = await startComposeServer()
  await prepareDatabase(server.owner, readConfig({}))
  const left = await grantRoles(server.owner, COMPOSE_PASSWORDS, 'test', retentionDays)
  if (left !== undefined) throw new Error(`make-owner.sh leaves to a superuser:\n${left}`)
  const [endpoint, gateway] = ROLES.map((role) => server.open(userOf(role))) as [Database, Database]
  return { ...server, endpoint, gateway }
}

/** The SQL that make-owner.sh gives to psql, with its variables in place. */
async function ownerSql(): Promise<string> {
  const script = await readFile(MAKE_OWNER, 'utf8')
  const text = /<<'SQL'\n(.*)\nSQL\n/s.exec(script)![1]!
  return text.replaceAll(/:'(backup_)?password'/g, `'test'`).replaceAll(`:"database"`, 'footfall')
}
