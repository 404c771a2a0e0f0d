import type { KyselyPlugin } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'

/** A store that dies when its n-th statement was answered, and from then on: its transaction is not committed, as after a kill. */
export function failingAt(db: Database, statement: number): Database {
  let answered = 0
  const die: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      if (++answered >= statement) throw new Error('killed')
      return result
    },
  }
  return db.withPlugin(die)
}
