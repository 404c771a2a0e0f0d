import type { PostgresClient, PostgresClientConstructor } from 'kysely'
import pg from 'pg'

/** The clients that cancel statements of a pool. */
export interface CancellingClients {
  Client: PostgresClientConstructor
  end: () => Promise<void>
}

/**
 * Kysely makes a client for each cancel. These share a connection, which is opened when it is needed and closed when it was not used for
 * 10 s, because a login costs PostgreSQL more than most of the statements.
 */
export function cancellingClients(options: pg.PoolConfig): CancellingClients {
  const pool = new pg.Pool({ ...options, max: 1 })
  // Of an idle connection that breaks, and of one in use, whose error would end the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  class Client implements PostgresClient {
    #client: pg.PoolClient | undefined

    async connect(): Promise<this> {
      this.#client = await pool.connect()
      return this
    }

    query(text: unknown, values?: unknown): never {
      return this.#client!.query(text as string, values as unknown[]) as never
    }

    end(): void {
      this.#client?.release()
    }
  }
  return { Client, end: () => pool.end() }
}
