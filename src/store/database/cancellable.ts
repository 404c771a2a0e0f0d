import type { ConnectionProvider, DatabaseConnection } from 'kysely'
import type { Database, Queryable } from './connection.ts'

/**
 * The database for the work of one caller. When the signal is aborted, PostgreSQL cancels the running statement, and no further statement
 * begins: each of them throws the signal's reason.
 */
export function cancellable(db: Database, signal: AbortSignal): Queryable {
  const executor = db.getExecutor()
  const provider: ConnectionProvider = {
    provideConnection: (work) => executor.provideConnection((connection) => work(guarded(connection, signal))),
  }
  const cancelling = executor.withConnectionProvider(provider)
  return { getExecutor: () => cancelling }
}

/** The connection is free only after a cancel was answered, because a late one would cancel the statement of another caller. */
function guarded(connection: DatabaseConnection, signal: AbortSignal): DatabaseConnection {
  return {
    streamQuery: (...query) => connection.streamQuery(...query),
    executeQuery: async (query) => {
      await connection.collectSessionInfo?.()
      signal.throwIfAborted()
      let cancelled: Promise<unknown> | undefined
      const cancel = () => {
        // Rejects when the statement has just ended, or PostgreSQL is away.
        cancelled = connection.cancelQuery?.(() => Promise.reject(new Error('unused'))).catch(() => undefined)
      }
      const running = connection.executeQuery(query)
      signal.addEventListener('abort', cancel, { once: true })
      try {
        return (await running) as never
      } catch (error) {
        throw signal.aborted ? signal.reason : error
      } finally {
        signal.removeEventListener('abort', cancel)
        await cancelled
      }
    },
  }
}
