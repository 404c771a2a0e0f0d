import type { KyselyPlugin } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'

/** A store that fails after its n-th statement, and after all later ones. Its transaction is rolled back, as after a kill. */
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
