import { sql } from 'kysely'
import { distribute, distributionSteps } from '../../../src/store/access/distribute.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import { FUNCTIONS_FILE } from './citus-stubs.ts'

/** A server of Citus. The first one is the coordinator. */
interface Node {
  host: string
  port: number
}

/** The shards of each distributed table in tests, because every one of them makes each statement slower. */
const SHARDS = 4

/** The nodes that the coordinator at an address knows; none when it has no Citus. */
export async function nodesOf(coordinatorUrl: string): Promise<Node[]> {
  const db = connect({ url: coordinatorUrl, name: 'test', connectionsMax: 1 })
  try {
    const { rows: found } = await sql`select from pg_extension where extname = 'citus'`.execute(db)
    if (found.length === 0) return []
    const { rows } = await sql<Node>`
      select nodename as host, nodeport as port from pg_dist_node where isactive order by groupid`.execute(db)
    return rows
  } finally {
    await db.destroy()
  }
}

/** Makes a database of this name on every node, and tells the coordinator of the others. Users and passwords are the same on all of them. */
export async function createOnNodes(coordinatorUrl: string, name: string): Promise<void> {
  const nodes = await nodesOf(coordinatorUrl)
  for (const node of nodes) {
    await at(urlOn(coordinatorUrl, node, 'postgres'), (db) => sql`create database ${sql.id(name)}`.execute(db))
    await at(urlOn(coordinatorUrl, node, name), (db) => sql`create extension citus`.execute(db))
  }
  const [coordinator, ...workers] = nodes as [Node, ...Node[]]
  await at(urlOn(coordinatorUrl, coordinator, name), async (db) => {
    await sql`select citus_set_coordinator_host(${coordinator.host}, ${coordinator.port}::int)`.execute(db)
    for (const { host, port } of workers) await sql`select citus_add_node(${host}, ${port}::int)`.execute(db)
  })
}

/** Places the tables of a migrated database. */
export async function distributeOnNodes(db: Database): Promise<void> {
  await distribute(db, await distributionSteps(db, { functionsFile: FUNCTIONS_FILE, shards: SHARDS }))
}

export async function dropOnNodes(coordinatorUrl: string, name: string): Promise<void> {
  for (const node of await nodesOf(coordinatorUrl)) {
    await at(urlOn(coordinatorUrl, node, 'postgres'), (db) =>
      sql`drop database if exists ${sql.id(name)} with (force)`.execute(db),
    )
  }
}

function urlOn(coordinatorUrl: string, { host, port }: Node, database: string): string {
  const url = new URL(coordinatorUrl)
  url.hostname = host
  url.port = String(port)
  url.pathname = `/${database}`
  return url.href
}

async function at(url: string, work: (db: Database) => Promise<unknown>): Promise<void> {
  const db = connect({ url, name: 'test', connectionsMax: 1, statementMsMax: 0 })
  try {
    await work(db)
  } finally {
    await db.destroy()
  }
}
