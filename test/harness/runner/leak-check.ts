import { ChildProcess } from 'node:child_process'
import { Server, Socket } from 'node:net'
import { sql } from 'kysely'
import { aroundAll, inject } from 'vitest'
import { until } from '../../../src/main/embedded/until.ts'
import { connect } from '../../../src/store/database/connection.ts'
import { openDatabases } from '../servers/database.ts'

/** Sockets and processes close a moment after `stop()` of their owner has resolved. */
const CLOSING_MS_MAX = 3_000

/** Everything that keeps the event loop of this process alive, except timers. Node has no documented function that names them. */
function activeHandles(): unknown[] {
  return (process as unknown as { _getActiveHandles: () => unknown[] })._getActiveHandles()
}

function isPostgres(socket: Socket): boolean {
  const url = inject('postgresUrl') as string | undefined
  return url !== undefined && socket.remotePort === Number(new URL(url).port)
}

/** Idle connections of `fetch` are not leaks: they end when their server ends, or after seconds. */
function isLeak(handle: unknown): boolean {
  if (handle instanceof ChildProcess) return handle.exitCode === null && handle.signalCode === null
  if (handle instanceof Server) return handle.listening
  return handle instanceof Socket && isPostgres(handle)
}

async function describeLeak(handle: unknown): Promise<string> {
  if (handle instanceof ChildProcess) return `the process ${handle.pid}: ${handle.spawnargs.join(' ').slice(0, 200)}`
  if (handle instanceof Server) return `a server that listens at ${JSON.stringify(handle.address())}`
  return `a connection to PostgreSQL: ${await sessionOf((handle as Socket).localPort)}`
}

async function sessionOf(port: number | undefined): Promise<string> {
  const server = connect({ url: inject('postgresUrl'), name: 'leak check', connectionsMax: 1 })
  const { rows } = await sql<{ session: string }>`
    select format('%s in database %s, last statement: %s', application_name, datname, left(query, 200)) as session
    from pg_stat_activity where client_port = ${port}`.execute(server)
  await server.destroy()
  return rows[0]?.session ?? `local port ${port}`
}

/** A test file that leaves a database, a connection to PostgreSQL, a server or a process open fails, and the failure names it. */
aroundAll(async (runSuite) => {
  const before = new Set(activeHandles())
  await runSuite()
  const leaks = () => activeHandles().filter((handle) => !before.has(handle) && isLeak(handle))
  await until(async () => leaks().length === 0, CLOSING_MS_MAX)
  const sentences = await Promise.all(leaks().map(describeLeak))
  for (const name of openDatabases) sentences.push(`the database ${name}, which was not dropped`)
  openDatabases.clear()
  if (sentences.length > 0) throw new Error(`the test file left open:\n  ${sentences.join('\n  ')}`)
})
