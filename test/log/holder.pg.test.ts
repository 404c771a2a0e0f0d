import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database, Queryable } from '../../src/store/database/connection.ts'
import { tryNamedLocks } from '../../src/store/database/locks.ts'
import { backlog } from '../../src/store/log/backlog.ts'
import type { BatchRef } from '../../src/store/log/batch.ts'
import { LOST } from '../../src/store/log/waiting.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { changeLanes } from '../../src/store/popularity/lanes.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { held, someoneWaits } from '../harness/held.ts'
import { interaction, record } from '../harness/items/events.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(async ({ db }) => {
  await changeLanes(db, 1)
  await clear(db)
})

const WAYS = [
  { name: 'counting', take: countBatch },
  { name: 'feeding', take: feedBatch },
] as const

const NONE_TAKEN = { batches: 0, events: 0 }
/** The log has no batch with such a number, so that only a message that asks no statement does not find it lost. */
const UNKNOWN: BatchRef = { batchId: '9000000000000000000' }

/** Starts a message that has claimed a group, and waits for the rows of a product. @returns how it goes on. */
async function holding(db: Database, take: typeof countBatch) {
  await take(db, await record(db, [interaction({ refId: 'hot' })]))
  const own = await record(db, [interaction({ refId: 'hot' })])
  const release = await held(db, async (tx: Queryable) => {
    await sql`select from product_popularity where product_id = 'hot' for update`.execute(tx)
    await sql`select from shopper_product where product_id = 'hot' for update`.execute(tx)
  })
  const taken = take(db, own)
  await someoneWaits(db)
  return { own, release, taken }
}

test.for(WAYS)('$name: a message leaves its batch to the holder of its process without a statement', async ({ take }, { db }) => {
  const { release, taken } = await holding(db, take)
  const late = await record(db, [interaction()])
  expect(await take(db, late, { mayBeLeft: true })).toEqual(NONE_TAKEN)
  expect(await take(db, UNKNOWN, { mayBeLeft: true })).toEqual(NONE_TAKEN)
  expect(await take(db, UNKNOWN)).toBe(LOST)
  await release()
  expect(await taken).toEqual({ batches: 2, events: 2 })
  expect(await take(db, UNKNOWN, { mayBeLeft: true })).toBe(LOST)
})

test.for(WAYS)(
  '$name: the holder takes only what it looks for, i.e. no batch with a number below its own',
  async ({ take }, { db }) => {
    const { own, release, taken } = await holding(db, take)
    const below = { batchId: String(BigInt(own.batchId) - 1n), call: 'f'.repeat(32) }
    expect(await take(db, below, { mayBeLeft: true })).toBe(LOST)
    await release()
    await taken
  },
)

test.for(WAYS)(
  '$name: a holder that fails takes nothing more, and the next message takes what was left to it',
  async ({ take }, { db }) => {
    const { release, taken } = await holding(db, take)
    const late = await record(db, [interaction()])
    expect(await take(db, late, { mayBeLeft: true })).toEqual(NONE_TAKEN)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(
      db,
    )
    await expect(taken).rejects.toThrow('terminat')
    await release()
    expect(await take(db, await record(db, [interaction()]), { mayBeLeft: true })).toEqual({ batches: 3, events: 3 })
  },
)

test.for(WAYS)(
  '$name: nothing is left to a holder of one of several lanes, or that found the lane held by another process',
  async ({ name, take }, { db }) => {
    await changeLanes(db, 8)
    const ofLanes = await holding(db, take)
    expect(await take(db, UNKNOWN, { mayBeLeft: true })).toBe(LOST)
    await ofLanes.release()
    await ofLanes.taken
    await changeLanes(db, 1)
    const releaseLane = await held(db, (tx) => tryNamedLocks(tx, [[name, '0 of 1']], 1))
    expect(await take(db, await record(db, [interaction()]))).toEqual(NONE_TAKEN)
    expect(await take(db, UNKNOWN, { mayBeLeft: true })).toBe(LOST)
    await releaseLane()
  },
)

/** The database, whose answers come after `onAnswer` has run. */
function answeringAfter(db: Database, onAnswer: (text: string) => Promise<void>): Database {
  const executor = db.getExecutor()
  const executeQuery: typeof executor.executeQuery = async (query, options) => {
    const result = await executor.executeQuery(query, options)
    await onAnswer(query.sql)
    return result
  }
  const late = withMember(executor, 'executeQuery', executeQuery)
  return withMember(db, 'getExecutor', () => late)
}

function withMember<T extends object>(target: T, member: keyof T, replacement: unknown): T {
  return new Proxy(target, {
    get: (_target, name) => {
      const value: unknown = name === member ? replacement : Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

test.for(WAYS)('$name: the holder looks again for what was left to it while it looked', async ({ take }, { db }) => {
  const own = await record(db, [interaction()])
  let isHolder = false
  let looks = 0
  const answering = answeringAfter(db, async (text) => {
    // The first statement of a message is about its own batch.
    if (!isHolder || !text.includes('order by batch_id limit 1') || ++looks > 3) return
    const late = await record(db, [interaction()])
    expect(await take(answering, late, { mayBeLeft: true })).toEqual(NONE_TAKEN)
  })
  expect(await take(answering, own, { onGroup: () => void (isHolder = true) })).toEqual({ batches: 4, events: 4 })
  expect(looks).toBeGreaterThan(3)
})

test('of many messages at the same time none leaves its batch to a holder that does not look again', async ({ db }) => {
  for (let round = 0; round < 20; round++) {
    const messages = Array.from({ length: 20 }, async () => {
      const batch = await record(db, [interaction({ refId: `p${round}` })])
      return Promise.all(WAYS.map(({ take }) => take(db, batch, { mayBeLeft: true })))
    })
    for (const taken of (await Promise.all(messages)).flat()) expect(taken).not.toMatchObject({ next: {} })
    expect(await backlog(db)).toMatchObject({ uncountedBatches: 0, unfedBatches: 0 })
  }
  expect((await verify(db)).drift).toEqual([])
})
