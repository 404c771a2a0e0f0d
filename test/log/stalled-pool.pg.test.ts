import { sql } from 'kysely'
import { expect } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import { connect } from '../../src/store/database/connection.ts'
import { isUnavailable } from '../../src/store/database/sql-state.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test('when no caller gets a connection for 2 s, as many wait as may, and a further one is turned away at once', async ({
  database,
}) => {
  const db = connect({ url: database.url, name: 'test', connectionsMax: 1, waitMsMax: 60_000, stalledWaitersMax: 2 })
  try {
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    const { promise: isOpen, resolve: opened } = Promise.withResolvers<void>()
    const holding = db.connection().execute(async () => {
      opened()
      await held
    })
    await isOpen
    const read = () => sql`select 1`.execute(db)
    // More than may wait, while it is not known yet that nothing moves.
    const waiting = [read(), read(), read()]
    const isTurnedAway = async () => {
      const late = read()
      const error = await Promise.race([
        late.then(
          () => undefined,
          (thrown: unknown) => thrown,
        ),
        new Promise((resolve) => setImmediate(resolve)),
      ])
      if (error === undefined) waiting.push(late)
      return isUnavailable(error)
    }
    expect(await until(isTurnedAway, 30_000)).toBe(true)
    release()
    await Promise.all([holding, ...waiting])
    await read()
  } finally {
    await db.destroy()
  }
})
