import pg from 'pg'
import { databaseAddresses } from './addresses.ts'
import { hasPrimary } from './primary.ts'

/** Whether a PostgreSQL answers at this address; of several, one that takes writes. */
export async function isAnswering(url: string): Promise<boolean> {
  if (databaseAddresses(url).length > 1) return hasPrimary(url)
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}
