import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../src/store/database/connection.ts'
import { insertBatch } from '../../src/store/log/batch.ts'
import { callOf } from '../../src/store/log/call.ts'
import { INTERACTIONS } from '../../src/store/log/interaction.ts'
import { LOG_TABLES, makePartitions, monthOf } from '../../src/store/log/month.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { interaction, record, recordAndCount } from '../harness/items/events.ts'

/** Every month that an event may be of, the newest first. */
const MONTHS = Array.from({ length: 12 * (new Date().getUTCFullYear() - 1999) }, (_, n) =>
  Date.UTC(new Date().getUTCFullYear(), 11 - n, 1, 12),
).filter((occurredAtMs) => occurredAtMs < Date.now())

/** How many months each table of the log has. */
async function monthsOf(db: Database): Promise<Record<string, number>> {
  const { rows } = await sql<{ name: string; months: number }>`
    select inhparent::regclass::text as name, count(*)::int as months from pg_inherits
    where inhparent in (select partrelid from pg_partitioned_table) group by 1`.execute(db)
  return Object.fromEntries(rows.map(({ name, months }) => [name, months]))
}

/** Watches the statements that make months. */
function watched(db: Database): { db: Database; calls: () => number } {
  let calls = 0
  const counting = db.withPlugin({
    transformQuery: ({ node }) => {
      if (JSON.stringify(node).includes('make_log_months')) calls++
      return node
    },
    transformResult: async ({ result }) => result,
  })
  return { db: counting, calls: () => calls }
}

test('a batch with an event of every month makes them in its table only, in a few statements', async ({ db }) => {
  expect(MONTHS.length).toBeGreaterThan(300)
  const before = await monthsOf(db)
  const { db: counting, calls } = watched(db)
  const { accepted } = await recordAndCount(
    counting,
    MONTHS.map((occurredAtMs) => interaction({ occurredAtMs })),
  )
  expect(accepted).toBe(MONTHS.length)
  expect(calls()).toBe(Math.ceil(MONTHS.length / 24) + 2)
  const after = await monthsOf(db)
  expect(after['interaction']).toBeGreaterThanOrEqual(MONTHS.length)
  for (const other of LOG_TABLES.filter((table) => table !== 'interaction')) expect(after[other]).toBe(before[other])
  expect((await verify(db)).drift).toEqual([])
})

test('while months are made, recording and reading go on, and another caller that needs a month takes its turn', async ({
  db,
}) => {
  const done = Promise.withResolvers<void>()
  const made = Promise.withResolvers<void>()
  const making = db.transaction().execute(async (tx) => {
    await makePartitions(tx, ['2001-01', '2001-02'], ['interaction'])
    made.resolve()
    await done.promise
  })
  await made.promise
  await db.connection().execute(async (session) => {
    await sql`set lock_timeout = 200`.execute(session)
    expect((await record(session, [interaction()])).accepted).toBe(1)
    await sql`select count(*) from interaction`.execute(session)
    await makePartitions(session, ['2001-01'], ['search'])
    // A month that exists needs no turn.
    await makePartitions(session, [monthOf(Date.now())])
    await expect(makePartitions(session, ['2001-01'], ['interaction'])).rejects.toThrow('lock timeout')
    await sql`set lock_timeout = default`.execute(session)
  })
  const next = makePartitions(db, ['2001-01', '2001-03'], ['interaction'])
  done.resolve()
  await Promise.all([making, next])
  expect((await record(db, [interaction({ occurredAtMs: Date.parse('2001-03-01T00:00:00Z') })])).accepted).toBe(1)
})

test('months outside of the time that events may have are refused', async ({ db }) => {
  for (const month of ['1999-12', monthOf(Date.now() + 400 * 24 * 3_600_000)]) {
    await expect(makePartitions(db, [month])).rejects.toThrow(`the log has no month ${month}`)
  }
})

test('a month takes rows only when readers had a second to end and every session was told of it', async ({ db }) => {
  const month = sql`date '2001-04-01'`
  const row = interaction({ occurredAtMs: Date.parse('2001-04-01T00:00:00Z') })
  const insert = async () => (await insertBatch(db, INTERACTIONS, callOf(randomUUID(), Buffer.from('')), [row], [])).inserted
  const takeStep = () => sql`select make_log_months('interaction', array[${month}])`.execute(db)
  const isClosed = 'the month interaction_2001_04 is not open yet'

  await takeStep()
  await expect(insert()).rejects.toThrow(isClosed)
  const startedAt = performance.now()
  await db.transaction().execute(async (tx) => {
    await sql`select count(*) from interaction`.execute(tx)
    await takeStep()
  })
  expect(performance.now() - startedAt).toBeGreaterThan(990)
  await expect(insert()).rejects.toThrow(isClosed)
  // A change of a column has all sessions list the partitions of its table again.
  const { rows } = await sql<{ attached: number; told: number; stepTwo: number }>`
    select i.xmin::text::int as attached, a.xmin::text::int as told, t.xmin::text::int as "stepTwo"
    from pg_inherits i join pg_attribute a on attrelid = inhparent and attname = 'occurred_at'
    join pg_trigger t on tgrelid = inhrelid and tgname = 'closed'
    where inhrelid = 'log_month.interaction_2001_04'::regclass`.execute(db)
  const { attached, told, stepTwo } = rows[0]!
  expect(told).toBeGreaterThan(attached)
  expect(told).toBe(stepTwo)

  await takeStep()
  expect(await insert()).toBe(1)
})

test('a month that another caller left closed is opened by the recording that needs it', async ({ db }) => {
  await sql`select make_log_months('interaction', array['2001-05-01'::date])`.execute(db)
  expect((await record(db, [interaction({ occurredAtMs: Date.parse('2001-05-01T00:00:00Z') })])).accepted).toBe(1)
})
