import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { recordRows } from '../../src/store/log/batch.ts'
import { INTERACTIONS } from '../../src/store/log/interaction.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { eraseNextPart } from '../../src/store/erasure/next-part.ts'
import { beginErasure, requestErasure } from '../../src/store/erasure/run-machine.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erase, erasureDeps, exported, newTombstones } from '../harness/items/erased.ts'
import { interaction } from '../harness/items/events.ts'
import { newCall } from '../harness/items/payments.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const PERSONS = 6
const SESSIONS = 24
const accountOf = (session: number) => `person-${session % PERSONS}`
const sessionId = (session: number) => `visit-${session}`

/** The n-th event of a feeder, a minute old at least: its shopper is an account, a session, or both. */
function eventOf(feeder: number, n: number): NewInteraction {
  const session = (n * 7 + feeder) % SESSIONS
  const hasAccount = n % 5 < 2
  return interaction({
    accountId: hasAccount ? accountOf(session) : null,
    sessionId: n % 3 === 0 && hasAccount ? null : sessionId(session),
    refId: `p${(n * 13) % 17}`,
    occurredAtMs: Date.now() - 60_000 - (n % 50) * 60_000,
    metadata: { note: 'personal' },
  })
}

/** Errors of PostgreSQL that mean that two transactions waited for each other. */
const isDeadlock = (error: unknown) => (error as { code?: string }).code === '40P01'

interface Load {
  deadlocks: number
  events: NewInteraction[]
}

/** Records and feeds batches until it is stopped, each feeder as a process of its own. */
async function feed(db: Database, feeder: number, load: Load, isStopped: () => boolean): Promise<void> {
  const tombstones = newTombstones()
  for (let batch = 0; !isStopped(); batch++) {
    const events = Array.from({ length: 30 }, (_each, n) => ({ ...eventOf(feeder, batch * 30 + n), index: n }))
    load.events.push(...events)
    const recorded = await recordRows(db, INTERACTIONS, newCall(), events, [], undefined, tombstones)
    for (const take of [countBatch, feedBatch]) {
      for (;;) {
        try {
          await take(db, recorded)
          break
        } catch (error) {
          if (!isDeadlock(error)) throw error
          load.deadlocks++
        }
      }
    }
  }
}

/** Merges sessions into their accounts, again and again. */
async function merge(db: Database, isStopped: () => boolean): Promise<void> {
  const tombstones = newTombstones()
  for (let session = 0; !isStopped(); session = (session + 1) % SESSIONS) {
    const request = { session_id: sessionId(session), account_id: accountOf(session), asked_at_ms: Date.now() - 30_000 }
    await mergeSession(db, request, tombstones).catch((error: unknown) => {
      expect((error as Error).message).toContain('was erased since')
    })
    await sleep(1)
  }
}

test(
  'erasures next to feeders and mergers leave 0 cells wrong, 0 deadlocks, and no row of the persons',
  { timeout: 180_000 },
  async ({ db }) => {
    const load: Load = { deadlocks: 0, events: [] }
    let isStopped = false
    const working = [0, 1, 2, 3].map((feeder) => feed(db, feeder, load, () => isStopped))
    working.push(merge(db, () => isStopped))
    // Until there is something to erase of everybody.
    while (load.events.length < 600) await Promise.race([sleep(10), ...working])
    const erasures = Array.from({ length: PERSONS }, (_each, person) => erase(db, `account:person-${person}`, erasureDeps()))
    const runs = await Promise.all(erasures)
    // At every instant, also while they feed.
    expect((await verify(db)).drift).toEqual([])
    const recordedBefore = load.events.length
    while (load.events.length < recordedBefore + 240) await Promise.race([sleep(10), ...working])
    isStopped = true
    await Promise.all(working)
    expect(runs.map(({ status }) => status)).toEqual(Array.from({ length: PERSONS }, () => 'completed'))
    expect(load.deadlocks).toBe(0)
    expect((await verify(db)).drift).toEqual([])
    for (let person = 0; person < PERSONS; person++) expect(await exported(db, `account:person-${person}`)).toEqual([])
    const { rows } = await sql<{ left: number; events: number; personal: number }>`
    select count(*) filter (where account_id like 'person-%')::int as left, count(*)::int as events,
      count(*) filter (where account_id is not null and metadata is not null)::int as personal from interaction`.execute(db)
    expect(rows).toEqual([{ left: 0, events: load.events.length, personal: 0 }])
    // Sent again, each is a duplicate.
    const again = load.events.slice(0, 1_000).map((event, index) => ({ ...event, index }))
    const call = newCall()
    expect(await recordRows(db, INTERACTIONS, call, again, [], undefined, newTombstones())).toMatchObject({ accepted: 0 })
  },
)

test('a merge that was asked for before the erasure is refused after it, and a later one is of a person who came back', async ({
  db,
}) => {
  const tombstones = newTombstones()
  await tombstones.check(db, [])
  const asked_at_ms = Date.now() - 1_000
  await erase(db, 'account:person-1')
  const request = { session_id: `late-${randomUUID()}`, account_id: 'person-1', asked_at_ms }
  await expect(mergeSession(db, request, tombstones)).rejects.toThrow('the person was erased since this merge was asked for')
  expect((await sql`select from shopper_redirect`.execute(db)).rows).toEqual([])
  const later = { ...request, asked_at_ms: Date.now() + 1_000 }
  expect(await mergeSession(db, later, tombstones)).toMatchObject({ account_id: 'person-1' })
})

test('events of a person who comes back while it is erased stay the profile of the account', async ({ db }) => {
  const old = Array.from({ length: 140 }, (_each, n) => ({ ...eventOf(0, n), accountId: 'person-1', sessionId: null, index: n }))
  const recorded = await recordRows(db, INTERACTIONS, newCall(), old, [])
  await countBatch(db, recorded)
  await feedBatch(db, recorded)
  const isBack = { accountId: 'person-1', refId: 'p0', occurredAtMs: Date.now() + 60_000 }
  const deps = erasureDeps()
  const id = randomUUID()
  await requestErasure(db, id, { shopper_id: 'account:person-1', actor: 'ada' })
  await beginErasure(db, id)
  await eraseNextPart(db, id, deps)
  // After the fence, and fed before the profiles move.
  const newer = await recordRows(db, INTERACTIONS, newCall(), [interaction(isBack)], [], undefined, newTombstones())
  await countBatch(db, newer)
  await feedBatch(db, newer)
  while (await eraseNextPart(db, id, deps)) expect((await verify(db)).drift).toEqual([])
  expect((await verify(db)).drift).toEqual([])
  expect((await exported(db, 'account:person-1')).map(({ table, row }) => [table, row['events']])).toEqual([
    ['shopper_product', 1],
    ['shopper_recent', undefined],
    ['interaction', undefined],
  ])
})
