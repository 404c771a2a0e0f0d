import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { lsnText } from '../../src/contract/fields/lsn.ts'
import { createLagMeter } from '../../src/gateway/standbys/lag-meter.ts'
import { createStandby } from '../../src/gateway/standbys/standby.ts'
import type { Database } from '../../src/store/database/connection.ts'

/** A server that has replayed up to `lsn`, and takes a moment to say so. */
function startServer(lsn: bigint) {
  const server = { lsn, asked: 0 }
  const executeQuery = async () => {
    server.asked++
    await sleep(5)
    return { rows: [{ lsn: lsnText(server.lsn) }] as never[] }
  }
  const connection = {
    executeQuery,
    streamQuery: () => {
      throw new Error('unused')
    },
  }
  const nothing = async () => undefined
  const open = (): Database =>
    new Kysely({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createIntrospector: (db) => new PostgresIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler(),
        createDriver: () => ({
          init: nothing,
          acquireConnection: async () => connection,
          beginTransaction: nothing,
          commitTransaction: nothing,
          rollbackTransaction: nothing,
          releaseConnection: nothing,
          destroy: nothing,
        }),
      },
    })
  const meter = createLagMeter()
  const standby = createStandby({ name: 's', openReads: open, openLooks: open, meter, lagMsMax: 60_000 })
  onTestFinished(standby.close)
  /** As the gateway looks: at the standby, then at the primary. */
  const look = async (end: bigint, isOther = false) => {
    await standby.look()
    standby.compare(end, standby.replayed(), isOther)
    meter.note(end, performance.now())
    return standby.isUsable()
  }
  return { server, standby, look }
}

test('readers that wait for a position at the same time ask a standby once', async () => {
  const { server, standby } = startServer(100n)
  await Promise.all(Array.from({ length: 500 }, () => standby.look()))
  expect([server.asked, standby.replayed()]).toEqual([1, 100n])
  await standby.look()
  expect(server.asked).toBe(2)
})

test('after a failover a standby is read when it has replayed more, and not while it may have what the new primary lacks', async () => {
  const { server, look } = startServer(120n)
  expect(await look(120n)).toBe(true)
  expect(await look(100n, true)).toBe(false)
  // The new primary comes to the same place with another history.
  expect(await look(120n)).toBe(false)
  expect(await look(130n)).toBe(false)
  server.lsn = 140n
  expect(await look(150n)).toBe(true)
})
