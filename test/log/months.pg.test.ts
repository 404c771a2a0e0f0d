import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../src/store/database/connection.ts'
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
  expect(calls()).toBe(Math.ceil(MONTHS.length / 24))
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
