import type { Socket } from 'node:net'
import type pg from 'pg'

/**
 * Closes a connection when a statement has no answer for so long: the server should have ended it before, so it hangs or is gone without a word. The statement
 * fails as those of a broken connection do.
 */
export function closeWhenSilent(client: pg.PoolClient, msMax: number): void {
  const query = client.query.bind(client) as (...asked: unknown[]) => Promise<pg.QueryResult>
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
  const close = () => stream.destroy(new Error('Connection terminated because the server does not answer any more'))
  const watched = async (...asked: unknown[]) => {
    const timer = setTimeout(close, msMax)
    try {
      return await query(...asked)
    } finally {
      clearTimeout(timer)
    }
  }
  client.query = watched as typeof client.query
}
