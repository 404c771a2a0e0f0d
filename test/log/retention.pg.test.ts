import { sql } from 'kysely'
import { expect } from 'vitest'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { LOG_TABLES, makePartitions, monthOf } from '../../src/store/log/month.ts'
import { rescore } from '../../src/store/popularity/popularity-rules.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { BALANCED, type TestDatabase } from '../harness/servers/database.ts'
import { interaction, record, recordAndCount } from '../harness/items/events.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { partitionOf } from '../harness/items/months.ts'

const DAYS = 32
/** The ages of the months that the tests fill. With 32 days kept, all but the first are dropped. */
const AGES = [5, 100, 150, 200]
/** Noon, far from the end of a month. */
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2
const ago = (days: number) => NOON - days * DAY_MS
const monthAgo = (days: number) => partitionOf('interaction', monthOf(ago(days)))
/** The months of every table of the log. */
const monthsAgo = (...days: number[]) => LOG_TABLES.flatMap((table) => days.map((one) => partitionOf(table, monthOf(ago(one)))))

/** Every table of the log has the months, also the tables without events of them. */
test.beforeEach(({ db }) =>
  makePartitions(
    db,
    AGES.map((days) => monthOf(ago(days))),
  ),
)

/** Some events of every age, of a few products, types and shoppers. */
const events = (ages = AGES) =>
  ages.flatMap((days) =>
    Array.from({ length: 12 }, (_, n) =>
      interaction({
        refId: `p${n % 3}`,
        eventType: ['view', 'purchase', 'unheard_of', 'dislike'][n % 4]!,
        accountId: `a${n % 2}`,
        occurredAtMs: ago(days) - n * 1_000,
      }),
    ),
  )

/** The tables of the log's months, attached or not. */
async function tables(db: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class where relkind = 'r' and relname ~ '^interaction_[0-9]{4}_[0-9]{2}$' order by 1`.execute(
    db,
  )
  return rows.map((row) => row.name)
}

const driftOf = async (db: Database) => (await verify(db)).drift

test('months that ended before the horizon are dropped, later months stay, and there is no drift', async ({ db }) => {
  await recordAndCount(db, events())
  const before = await verify(db)
  expect(before.events).toBe(48)
  const { dropped, waiting } = await dropOldMonths(db, DAYS)
  expect(dropped).toEqual(monthsAgo(200, 150, 100))
  expect(waiting).toEqual([])
  expect(await tables(db)).not.toContain(monthAgo(100))
  expect(await tables(db)).toContain(monthAgo(5))
  const after = await verify(db)
  expect(after).toMatchObject({ drift: [], events: 12 })
  expect(Date.parse(after.horizon)).toBeLessThanOrEqual(ago(DAYS))
  expect(await dropOldMonths(db, DAYS)).toEqual({ dropped: [], waiting: [] })
})

test('an event before the horizon is rejected and changes nothing; a later event counts', async ({ db }) => {
  const sent = events()
  await recordAndCount(db, sent)
  await dropOldMonths(db, DAYS)
  const late = await recordAndCount(db, [
    interaction({ occurredAtMs: ago(100) }),
    sent[20]!,
    interaction({ occurredAtMs: ago(20) }),
  ])
  expect(late).toMatchObject({ accepted: 1, duplicateIndexes: [] })
  expect(late.rejected.map(({ index, code }) => [index, code])).toEqual([
    [0, 'too_old'],
    [1, 'too_old'],
  ])
  expect(await tables(db)).not.toContain(monthAgo(100))
  expect(await driftOf(db)).toEqual([])
})

test.for([
  ['counted', countBatch, feedBatch],
  ['fed', feedBatch, countBatch],
] as const)('a month with an event that is not %s yet stays until the event is', async ([_what, last, first], { db }) => {
  await recordAndCount(db, events())
  const open = await record(db, [interaction({ occurredAtMs: ago(150) }), interaction({ occurredAtMs: ago(2) })])
  await first(db, open)
  const { dropped, waiting } = await dropOldMonths(db, DAYS)
  expect(dropped).toEqual(monthsAgo(200))
  // The batch reaches from the month of 150 days ago to this one, and so into the one of 100 days ago.
  expect(waiting).toEqual([monthOf(ago(150)), monthOf(ago(100))])
  expect(await driftOf(db)).toEqual([])
  await last(db, open)
  expect((await dropOldMonths(db, DAYS)).dropped).toEqual(monthsAgo(150, 100))
  expect(await driftOf(db)).toEqual([])
})

test('a run that was killed between its steps is finished by the next run', async ({ db, database }) => {
  await recordAndCount(db, events())
  await sql`update log_horizon set horizon = date_trunc('month', now() - interval '32 days', 'UTC')`.execute(db)
  // A run that detached a month and was killed before the drop.
  await sql`alter table interaction detach partition log_month.${sql.table(monthAgo(200))} concurrently`.execute(db)
  // Killed within DETACH CONCURRENTLY, which an open reader keeps waiting between its two halves.
  const reader = await startReader(database)
  await db.connection().execute(async (session) => {
    await sql`set lock_timeout = 50`.execute(session)
    const half = sql`alter table interaction detach partition log_month.${sql.table(monthAgo(150))} concurrently`.execute(session)
    await expect(half).rejects.toThrow('lock timeout')
    await sql`set lock_timeout = default`.execute(session)
  })
  await reader.end()
  expect(await driftOf(db)).toEqual([])
  const { dropped, waiting } = await dropOldMonths(db, DAYS)
  expect(dropped.toSorted()).toEqual(monthsAgo(200, 150, 100).toSorted())
  expect(waiting).toEqual([])
  expect(await driftOf(db)).toEqual([])
})

test('while a long read runs, months are not dropped; they are dropped after it has ended', async ({ db, database }) => {
  await recordAndCount(db, events())
  const reader = await startReader(database)
  const { dropped, waiting } = await dropOldMonths(db, DAYS)
  // The months of the table that is read stay.
  const others = LOG_TABLES.filter((table) => table !== 'interaction')
  expect(dropped).toEqual(others.flatMap((table) => [200, 150, 100].map((days) => partitionOf(table, monthOf(ago(days))))))
  expect(waiting).toEqual([200, 150, 100].map((days) => monthOf(ago(days))))
  await reader.end()
  expect(await dropOldMonths(db, DAYS)).toEqual({ dropped: [monthAgo(200), monthAgo(150), monthAgo(100)], waiting: [] })
  expect(await driftOf(db)).toEqual([])
})

test('events that are too old do not keep their months', async ({ db }) => {
  await recordAndCount(db, events())
  await dropOldMonths(db, 160)
  // Not counted yet; its oldest event is rejected.
  const open = await record(db, [interaction({ occurredAtMs: ago(1_000) }), interaction({ occurredAtMs: ago(2) })])
  expect([open.accepted, open.rejected.map(({ code }) => code)]).toEqual([1, ['too_old']])
  expect((await dropOldMonths(db, DAYS)).waiting).toEqual([])
  const none = await record(db, [interaction({ occurredAtMs: ago(1_000) })])
  expect(Date.parse(none.from)).toBeGreaterThan(ago(DAYS))
  for (const batch of [open, none]) await Promise.all([countBatch(db, batch), feedBatch(db, batch)])
  expect(await driftOf(db)).toEqual([])
})

/** Reads the log in a transaction that stays open. */
async function startReader(database: TestDatabase): Promise<{ end: () => Promise<void> }> {
  const reader = connect({ url: database.url, name: 'reader', connectionsMax: 1 })
  const done = Promise.withResolvers<void>()
  const reading = Promise.withResolvers<void>()
  const read = reader.transaction().execute(async (tx) => {
    await sql`select count(*) from interaction`.execute(tx)
    reading.resolve()
    await done.promise
  })
  await reading.promise
  return {
    end: async () => {
      done.resolve()
      await read
      await reader.destroy()
    },
  }
}

test('recording, counting and reading go on while months are dropped', async ({ db }) => {
  await recordAndCount(db, events())
  let going = true
  const writers = Array.from({ length: 4 }, async () => {
    for (let rounds = 0; going || rounds < 3; rounds++) await recordAndCount(db, events())
  })
  const { dropped, waiting } = await dropOldMonths(db, DAYS)
  going = false
  await Promise.all(writers)
  const rest = await dropOldMonths(db, DAYS)
  expect([...dropped, ...rest.dropped].toSorted()).toEqual(monthsAgo(200, 150, 100).toSorted())
  expect(waiting.length > 0).toBe(rest.dropped.length > 0)
  expect(await driftOf(db)).toEqual([])
})

test('of two concurrent runs one drops the months, and the other does nothing', async ({ db }) => {
  await recordAndCount(db, events())
  const runs = await Promise.all([dropOldMonths(db, DAYS), dropOldMonths(db, DAYS)])
  expect(new Set(runs.map(({ dropped }) => dropped.length))).toEqual(new Set([0, monthsAgo(200, 150, 100).length]))
  expect(await driftOf(db)).toEqual([])
})

test('a drop waits for every open transaction that writes to the log', async ({ db }) => {
  await recordAndCount(db, events())
  const done = Promise.withResolvers<void>()
  const writing = Promise.withResolvers<void>()
  const late = db.transaction().execute(async (tx) => {
    await record(tx, [interaction({ occurredAtMs: ago(150) })])
    writing.resolve()
    await done.promise
  })
  await writing.promise
  const run = dropOldMonths(db, DAYS)
  const first = await Promise.race([run.then(() => 'dropped'), hasHorizon(db).then(() => 'horizon moved')])
  expect(first).toBe('horizon moved')
  done.resolve()
  await late
  expect((await run).waiting).toEqual([monthOf(ago(150))])
  expect(await driftOf(db)).toEqual([])
})

/** Resolves when the horizon has moved. */
async function hasHorizon(db: Database): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ moved: boolean }>`select horizon > '2001-01-01' as moved from log_horizon`.execute(db)
    if (rows[0]!.moved) return
  }
}

test('verify names changed products and newer cells, and product and type of changed profiles', async ({ db }) => {
  await recordAndCount(db, events())
  await dropOldMonths(db, DAYS)
  const old = sql`hour < now() - interval '50 days'`
  const changes: [ReturnType<typeof sql>, object][] = [
    [sql`update product_popularity set score_micros = score_micros + 1 where product_id = 'p0'`, { column: 'score_micros' }],
    [sql`update product_popularity set trending = trending + 1 where product_id = 'p0'`, { column: 'trending' }],
    [
      sql`update product_popularity set last_interaction = last_interaction - interval '90 days' where product_id = 'p0'`,
      { column: 'last_interaction' },
    ],
    [
      sql`update product_popularity set date_updated = date_updated - interval '1 day' where product_id = 'p0'`,
      { column: 'date_updated' },
    ],
    [
      sql`update product_hour set events = events + 1 where product_id = 'p0' and event_type = 'view' and ${old}`,
      { aggregate: 'product_popularity', column: 'score_micros' },
    ],
    [
      sql`update product_hour set events = events + 1 where product_id = 'p2' and event_type = 'unheard_of' and ${old}`,
      { aggregate: 'shopper_product', column: 'events' },
    ],
    [
      sql`update product_hour set events = events + 1 where product_id = 'p0' and not ${old}`,
      { aggregate: 'product_hour', column: 'events' },
    ],
    [sql`delete from product_hour where product_id = 'p1' and ${old}`, { aggregate: 'product_popularity' }],
    [
      sql`update shopper_product set events = events + 1 where ctid = (select min(ctid) from shopper_product)`,
      { aggregate: 'shopper_product', column: 'events' },
    ],
    [
      sql`update shopper_product set events = 1 where ctid = (select min(ctid) from shopper_product)`,
      { aggregate: 'shopper_product', column: 'events' },
    ],
    [
      sql`update shopper_product set last_at = now() where ctid = (select min(ctid) from shopper_product)`,
      { aggregate: 'shopper_product', column: 'last_at' },
    ],
    [
      sql`delete from shopper_product where ctid = (select min(ctid) from shopper_product)`,
      { aggregate: 'shopper_product', column: '*' },
    ],
  ]
  const aggregates = ['product_hour', 'product_popularity', 'shopper_product']
  for (const table of aggregates)
    await sql`create table ${sql.table(`kept_${table}`)} as select * from ${sql.table(table)}`.execute(db)
  for (const [change, expected] of changes) {
    await change.execute(db)
    expect(await driftOf(db)).toContainEqual(expect.objectContaining(expected))
    for (const table of aggregates) {
      await sql`truncate ${sql.table(table)}`.execute(db)
      await sql`insert into ${sql.table(table)} select * from ${sql.table(`kept_${table}`)}`.execute(db)
    }
  }
  expect(await driftOf(db)).toEqual([])
})

test('after a drop other weights can be put in force, another half-life cannot', async ({ db }) => {
  await recordAndCount(db, events())
  await dropOldMonths(db, DAYS)
  await rescore(db, { ...BALANCED, weightsName: 'own', weights: { view: 2, unheard_of: 1 } })
  expect(await driftOf(db)).toEqual([])
  await expect(rescore(db, { ...BALANCED, halfLifeHours: 5 })).rejects.toThrow('needs the whole log')
})

test('a drop leaves months that were created ahead, and months after the horizon', async ({ db }) => {
  await makePartitions(db, [monthOf(ago(31)), monthOf(ago(-40))])
  const before = await tables(db)
  await dropOldMonths(db, DAYS)
  expect(await tables(db)).toEqual(before.filter((name) => !monthsAgo(200, 150, 100).includes(name)))
})
