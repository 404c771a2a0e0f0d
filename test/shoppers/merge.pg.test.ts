import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { connect } from '../../src/store/database/connection.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { SESSIONS_MAX } from '../../src/ranking/shopper-event.ts'
import { shopperIdsOf } from '../../src/store/shoppers/shopper-redirect.ts'
import { interaction, record, recordAndCount } from '../harness/items/events.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from shopper_redirect`.execute(db)
})

const merge = (db: Database, session_id: string, account_id: string) =>
  mergeSession(db, { session_id, account_id, asked_at_ms: Date.now() })
const account = (id: string) => ({ kind: 'account', id }) as const
const session = (id: string) => ({ kind: 'session', id }) as const

test('a merge twice is one merge with one answer, and another account gets the first one', async ({ db }) => {
  const first = await merge(db, 's', 'ada')
  expect(first).toMatchObject({ session_id: 's', account_id: 'ada' })
  expect(await merge(db, 's', 'ada')).toEqual(first)
  expect(await merge(db, 's', 'bea')).toEqual(first)
  expect(await shopperIdsOf(db, account('bea'))).toEqual(['account:bea'])
})

test('of concurrent merges of a session into many accounts one wins, and every caller is told which', async ({ db }) => {
  for (let round = 0; round < 20; round++) {
    const accounts = Array.from({ length: 8 }, (_, n) => `account ${n}`)
    const answers = await Promise.all(accounts.map((each) => merge(db, `session ${round}`, each)))
    expect(new Set(answers.map(({ account_id }) => account_id)).size).toBe(1)
    expect(new Set(answers.map(({ merged_at }) => merged_at)).size).toBe(1)
  }
})

test('an account has its own id and those of its sessions, and a session those of its account', async ({ db }) => {
  await merge(db, 's', 'ada')
  await merge(db, 't', 'ada')
  await merge(db, 'u', 'bea')
  const ofAda = ['account:ada', 'session:s', 'session:t']
  expect((await shopperIdsOf(db, account('ada'))).toSorted()).toEqual(ofAda)
  expect((await shopperIdsOf(db, session('t'))).toSorted()).toEqual(ofAda)
  expect(await shopperIdsOf(db, session('unmerged'))).toEqual(['session:unmerged'])
  expect(await shopperIdsOf(db, account('unknown'))).toEqual(['account:unknown'])
})

test('ids with colons, quotes and the names of other kinds stay apart', async ({ db }) => {
  await merge(db, 'order:4711', 'a:b')
  await merge(db, 'account:a:b', 'session:order:4711')
  await merge(db, "it's", "o'hara")
  expect(await shopperIdsOf(db, account('a:b'))).toEqual(['account:a:b', 'session:order:4711'])
  expect(await shopperIdsOf(db, account('session:order:4711'))).toEqual(['account:session:order:4711', 'session:account:a:b'])
  expect(await shopperIdsOf(db, session("it's"))).toEqual(["account:o'hara", "session:it's"])
})

test('reads of an account add the sessions that were merged last', async ({ db }) => {
  await sql`
    insert into shopper_redirect (session_id, account_id, merged_at)
    select n::text, 'ada', now() - n * interval '1 minute' from generate_series(1, ${SESSIONS_MAX + 20}) n`.execute(db)
  const ids = await shopperIdsOf(db, account('ada'))
  expect(ids).toHaveLength(1 + SESSIONS_MAX)
  expect(ids).toContain('session:1')
  expect(ids).not.toContain(`session:${SESSIONS_MAX + 1}`)
})

test('events before and after a merge, in the profile and on their way, count for the account at once', async ({ db }) => {
  await recordAndCount(db, [interaction({ accountId: null, sessionId: 's', refId: 'lamp' })])
  const onItsWay = await record(db, [interaction({ accountId: null, sessionId: 's', refId: 'lamp' })])
  await merge(db, 's', 'ada')
  expect(await profileOf(db, 'ada')).toEqual({ 'lamp view': 1 })
  await feedBatch(db, onItsWay)
  await countBatch(db, onItsWay)
  await recordAndCount(db, [
    interaction({ accountId: 'ada', refId: 'lamp' }),
    interaction({ accountId: null, sessionId: 's', refId: 'desk' }),
  ])
  expect(await profileOf(db, 'ada')).toEqual({ 'desk view': 1, 'lamp view': 3 })
  expect((await verify(db)).drift).toEqual([])
})

/** What an account did, resolved as its reads do. */
async function profileOf(db: Database, accountId: string): Promise<Record<string, number>> {
  const ids = await shopperIdsOf(db, account(accountId))
  const { rows } = await sql<{ name: string; events: number }>`
    select product_id || ' ' || event_type as name, sum(events)::int as events from shopper_product
    where shopper_id = any(${ids}::text[]) group by 1 order by 1`.execute(db)
  return Object.fromEntries(rows.map(({ name, events }) => [name, events]))
}

const FEEDERS = 4
const MERGERS = 3
const SESSIONS = 60
const ACCOUNTS = 10
const BATCHES = 40
const EVENTS = 30

/** Numbers that look random and are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
}

test(
  'feeders, mergers and two accounts for one session leave no wrong cell and no deadlock',
  { timeout: 120_000 },
  async ({ database, db }) => {
    const pool = connect({ url: database.url, name: 'merge load', connectionsMax: FEEDERS + MERGERS })
    const deadlocksBefore = await deadlocksOf(db)
    const winners = new Map<string, string>()
    const feed = async (feeder: number) => {
      const below = numbers(feeder)
      for (let n = 0; n < BATCHES / FEEDERS; n++) {
        const batch = await record(
          pool,
          Array.from({ length: EVENTS }, () => eventOf(below)),
        )
        await Promise.all([feedBatch(pool, batch), countBatch(pool, batch)])
      }
    }
    const mergeAll = async (merger: number) => {
      const below = numbers(1_000 + merger)
      for (let n = 0; n < SESSIONS; n++) {
        // Each merger takes the sessions in the same order and chooses an account of its own, so that they contend.
        const sessionId = `s${n}`
        const merged = await merge(pool, sessionId, `a${below(ACCOUNTS)}`)
        expect(winners.get(sessionId) ?? merged.account_id).toBe(merged.account_id)
        winners.set(sessionId, merged.account_id)
      }
    }
    await Promise.all([
      ...Array.from({ length: FEEDERS }, (_, feeder) => feed(feeder)),
      ...Array.from({ length: MERGERS }, (_, merger) => mergeAll(merger)),
    ])
    await pool.destroy()
    expect(winners.size).toBe(SESSIONS)
    const expected = await expectedProfiles(db, winners)
    expect(expected.size).toBe(ACCOUNTS)
    for (const [accountId, cells] of expected) expect([accountId, await profileOf(db, accountId)]).toEqual([accountId, cells])
    expect((await verify(db)).drift).toEqual([])
    expect(await deadlocksOf(db)).toBe(deadlocksBefore)
  },
)

/** Of a session, or, in 4 of 10 cases, of an account. */
function eventOf(below: (max: number) => number): NewInteraction {
  const isSignedIn = below(10) < 4
  return interaction({
    eventId: randomUUID(),
    accountId: isSignedIn ? `a${below(ACCOUNTS)}` : null,
    sessionId: isSignedIn ? null : `s${below(SESSIONS)}`,
    refId: `p${below(8)}`,
    eventType: ['view', 'add_to_cart', 'purchase'][below(3)]!,
  })
}

/** By account, what the log says of it and of the sessions that it won. */
async function expectedProfiles(
  db: Database,
  winners: ReadonlyMap<string, string>,
): Promise<Map<string, Record<string, number>>> {
  const { rows } = await sql<{ account_id: string | null; session_id: string | null; name: string }>`
    select account_id, session_id, ref_id || ' ' || event_type as name from interaction order by 3`.execute(db)
  expect(rows).toHaveLength(BATCHES * EVENTS)
  const profiles = new Map<string, Record<string, number>>()
  for (const { account_id, session_id, name } of rows) {
    const accountId = account_id ?? winners.get(session_id!)!
    const profile = profiles.get(accountId) ?? {}
    profile[name] = (profile[name] ?? 0) + 1
    profiles.set(accountId, profile)
  }
  return profiles
}

async function deadlocksOf(db: Database): Promise<number> {
  const { rows } = await sql<{ deadlocks: number }>`
    select deadlocks::int from pg_stat_database where datname = current_database()`.execute(db)
  return rows[0]!.deadlocks
}
