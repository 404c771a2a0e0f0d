import { sql } from 'kysely'
import { expect, onTestFinished, vi } from 'vitest'
import { connect, type Database, type Queryable } from '../../src/store/database/connection.ts'
import { tryNamedLocks } from '../../src/store/database/locks.ts'
import { backlog } from '../../src/store/log/backlog.ts'
import type { BatchRef } from '../../src/store/log/batch.ts'
import { hold, retire } from '../../src/store/log/holder.ts'
import { LOST } from '../../src/store/log/waiting.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { changeLanes } from '../../src/store/popularity/lanes.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { onAnswers } from '../harness/answers.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { held, someoneWaits } from '../harness/held.ts'
import { interaction, record } from '../harness/items/events.ts'
import { lockProduct, WAYS } from '../harness/items/lanes.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(async ({ db }) => {
  await changeLanes(db, 1)
  await clear(db)
})

const NONE_TAKEN = { batches: 0, events: 0 }
/** The log has no batch with such a number, so that only a message that asks no statement does not find it lost. */
const UNKNOWN: BatchRef = { batchId: '9000000000000000000' }

/** Starts a message that has claimed a group, and waits for the rows of a product. @returns how it goes on. */
async function holding(db: Database, take: typeof countBatch) {
  await take(db, await record(db, [interaction({ refId: 'hot' })]))
  const own = await record(db, [interaction({ refId: 'hot' })])
  const release = await held(db, lockProduct('hot'))
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
  '$name: only batches after its own are left to a holder, and no later attempt of its own message',
  async ({ take }, { db }) => {
    const { own, release, taken } = await holding(db, take)
    for (const batchId of [own.batchId, String(BigInt(own.batchId) - 1n)])
      expect(await take(db, { batchId, call: 'f'.repeat(32) }, { mayBeLeft: true })).toBe(LOST)
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

const HOOKED = 'test hooked'

function hookedPool(database: { url: string }): Database {
  const pool = connect({ url: database.url, name: HOOKED, connectionsMax: 6 })
  onTestFinished(() => pool.destroy())
  return pool
}

/** The look for what waits. */
const isLook = (text: string) => text.includes('order by batch_id limit 1')

test.for(WAYS)('$name: the holder looks again for what was left to it while it looked', async ({ take }, { database, db }) => {
  const hooked = hookedPool(database)
  const own = await record(db, [interaction()])
  let isHolder = false
  let looks = 0
  onAnswers(HOOKED, async (text) => {
    if (!isHolder || !isLook(text) || ++looks > 3) return
    const late = await record(db, [interaction()])
    expect(await take(hooked, late, { mayBeLeft: true })).toEqual(NONE_TAKEN)
  })
  expect(await take(hooked, own, { onGroup: () => void (isHolder = true) })).toEqual({ batches: 4, events: 4 })
  expect(looks).toBeGreaterThan(3)
})

test('what is left to a holder while it learns that another process has held the lane is taken', async ({ database, db }) => {
  const hooked = hookedPool(database)
  const own = await record(db, [interaction()])
  let second: BatchRef | undefined
  let releaseLane: (() => Promise<void>) | undefined
  let late: BatchRef | undefined
  let isInHook = false
  onAnswers(HOOKED, async (text) => {
    if (isInHook) return
    isInHook = true
    if (second === undefined && text.includes('set scored_at')) second = await record(db, [interaction()])
    else if (second !== undefined && releaseLane === undefined && isLook(text))
      releaseLane = await held(db, (tx) => tryNamedLocks(tx, [['counting', '0 of 1']], 1))
    else if (releaseLane !== undefined && late === undefined && text.includes('pg_try_advisory_xact_lock')) {
      await releaseLane()
      expect(await countBatch(db, second!)).toEqual({ batches: 1, events: 1 })
      late = await record(db, [interaction()])
      expect(await countBatch(hooked, late, { mayBeLeft: true })).toEqual(NONE_TAKEN)
    }
    isInHook = false
  })
  expect(await countBatch(hooked, own)).toEqual({ batches: 2, events: 2 })
  expect(late).toBeDefined()
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 0 })
})

test('nothing is left to a holder that PostgreSQL does not answer any more', async ({ database, db }) => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const hooked = hookedPool(database)
  const own = await record(db, [interaction()])
  const { promise: isSilent, resolve: silence } = Promise.withResolvers<void>()
  const { promise: answers, resolve: answer } = Promise.withResolvers<void>()
  onAnswers(HOOKED, async (text) => {
    if (!text.includes('cell as materialized')) return
    silence()
    await answers
  })
  const taken = countBatch(hooked, own)
  await isSilent
  expect(await countBatch(hooked, UNKNOWN, { mayBeLeft: true })).toEqual(NONE_TAKEN)
  vi.advanceTimersByTime(2_001)
  expect(await countBatch(hooked, UNKNOWN, { mayBeLeft: true })).toBe(LOST)
  answer()
  expect(await taken).toEqual({ batches: 1, events: 1 })
})

test('a holder whose batch is locked comes again later, and does not wait while others leave theirs to it', async ({
  database,
  db,
}) => {
  const hooked = hookedPool(database)
  await record(db, [interaction()])
  const own = await record(db, [interaction()])
  const lockOwn = () =>
    held(db, (tx: Queryable) => sql`select from interaction_batch where batch_id = ${own.batchId} for update`.execute(tx))
  const unlock = await lockOwn()
  let unlockAgain: (() => Promise<void>) | undefined
  onAnswers(HOOKED, async (text) => {
    // The wait for the batch has ended.
    if (unlockAgain === undefined && text.includes('for no key update') && !text.includes('any')) unlockAgain = await lockOwn()
  })
  const taken = countBatch(hooked, own)
  await someoneWaits(db)
  await unlock()
  expect(await taken).toMatchObject({ batches: 1, again: true, left: [{ batchId: own.batchId }] })
  await unlockAgain!()
  expect(await countBatch(db, own)).toEqual({ batches: 1, events: 1 })
})

test('a batch that a holder could not take is left to none, so that its message fails alone', async ({ db }) => {
  await sql`alter table product_hour add constraint no_poison check (product_id <> 'poison')`.execute(db)
  onTestFinished(async () => void (await sql`alter table product_hour drop constraint no_poison`.execute(db)))
  const { own, release, taken } = await holding(db, countBatch)
  const bad = await record(db, [interaction({ refId: 'poison' })])
  expect(await countBatch(db, bad, { mayBeLeft: true })).toEqual(NONE_TAKEN)
  await release()
  expect(await taken).toMatchObject({ batches: 1, left: [{ batchId: bad.batchId }] })
  const holder = { own, takes: () => true, isAsked: false, answeredMs: performance.now() }
  hold(db, 'counting', holder)
  await expect(countBatch(db, bad, { mayBeLeft: true })).rejects.toThrow('no_poison')
  retire(db, 'counting', holder)
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
