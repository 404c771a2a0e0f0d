import { sql } from 'kysely'
import { expect, onTestFinished } from 'vitest'
import { connect } from '../../src/store/database/connection.ts'
import { isUnavailable } from '../../src/store/database/sql-state.ts'
import { proxiedTest as test } from '../harness/proxied-fixtures.ts'

test('a statement on an open connection fails as unavailable when the server hangs, and the next one has a new connection', async ({
  proxy,
}) => {
  const db = connect({ url: proxy.url, name: 'test', connectionsMax: 1, readOnly: true, silentMsMax: 2_000 })
  onTestFinished(() => db.destroy())
  await sql`select 1`.execute(db)
  proxy.hold()
  const error = await sql`select 1`.execute(db).catch((reason: unknown) => reason)
  expect(isUnavailable(error)).toBe(true)
  proxy.release()
  expect((await sql<{ two: number }>`select 2 as two`.execute(db)).rows).toEqual([{ two: 2 }])
})
