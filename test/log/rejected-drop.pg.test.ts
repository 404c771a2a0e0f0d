import type { ObjectContext } from '@restatedev/restate-sdk'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Deps } from '../../services/handler/deps.ts'
import { DROP_REJECTED } from '../../services/tasks/drop-rejected.ts'
import { rejectedCommand } from '../../src/cli/commands/rejected.ts'
import { actor } from '../../src/cli/terminal/actor.ts'
import { rejectedIdOf } from '../../src/contract/rejected.ts'
import { auditEntries } from '../../src/store/audit/audit-entry.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { dropOldRejected, dropRejected } from '../../src/store/log/rejected-drop.ts'
import { openRejected, rejectedInteraction } from '../../src/store/log/rejected-item.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { runCommand } from '../harness/programs/command.ts'
import { clear, type TestDatabase } from '../harness/servers/database.ts'

let entriesBefore: number
test.beforeEach(async ({ db }) => {
  await clear(db)
  entriesBefore = (await allDropEntries(db)).length
})

interface Made {
  days: number
  count?: number
  kind?: 'interaction' | 'search' | 'payment'
  code?: string
  isReplayed?: boolean
}

/** A batch of rejected events that was received so many days ago. @returns its id. */
async function make(
  db: Database,
  { days, count = 1, kind = 'interaction', code = 'invalid', isReplayed = false }: Made,
): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    with b as (
      insert into interaction_batch (received_at, occurred_from, occurred_to, events, invocation_id, body_sha256, scored_at, fed_at)
      values (now() - ${days} * interval '1 day' - interval '1 minute', now(), now(), 0, gen_random_uuid()::text, '', now(), now())
      returning batch_id
    ), r as (
      insert into rejected_interaction (batch_id, index, code, message, item, kind, replayed_at, replay_batch_id)
      select batch_id, n, ${code}, 'wrong', '{}', ${kind}, case when ${isReplayed} then now() end, case when ${isReplayed} then batch_id end
      from b, generate_series(0, ${count} - 1) n
    ) select batch_id as id from b`.execute(db)
  return rows[0]!.id
}

const left = async (db: Database) => {
  const { rows } = await sql<{ id: string; n: number }>`
    select batch_id as id, count(*)::int as n from rejected_interaction group by 1 order by 1`.execute(db)
  return Object.fromEntries(rows.map(({ id, n }) => [id, n]))
}

const drop = (database: TestDatabase, ...args: string[]) =>
  runCommand(rejectedCommand(), ['drop', ...args], { DATABASE_URL: database.url })
/** Audit entries of all tests of this file, because none can be deleted. */
const allDropEntries = async (db: Database) => (await auditEntries(db, { action: 'rejected.drop', limit: 100, offset: 0 })).data
const dropEntries = async (db: Database) => (await allDropEntries(db)).slice(0, -entriesBefore || undefined)

test('old rejected events are deleted in parts, replayed ones too, and young ones stay', async ({ db }) => {
  await make(db, { days: 100, count: 6_000 })
  await make(db, { days: 91, isReplayed: true })
  const young = await make(db, { days: 89, count: 3 })
  const dropped: number[] = []
  do dropped.push(await dropOldRejected(db, 90))
  while (dropped.at(-1)! > 0)
  expect(dropped).toEqual([5_000, 1_001, 0])
  expect(await left(db)).toEqual({ [young]: 3 })
})

test('the task deletes all that are older than its setting', async ({ db }) => {
  await make(db, { days: 31, count: 11_000 })
  const young = await make(db, { days: 29 })
  const retention = {
    retentionDays: undefined,
    rollUpAfterDays: undefined,
    rejectedDays: 30,
    ignoredWebhookDays: 7,
    impressionDays: 90,
    deliveryDays: 30,
  }
  const deps = { background: db, retention }
  const ctx = { run: (_name: string, action: () => Promise<unknown>) => action() }
  await DROP_REJECTED.run(deps as Deps, ctx as unknown as ObjectContext, 0)
  expect(await left(db)).toEqual({ [young]: 1 })
})

test('large rejected events are deleted in more parts', async ({ db }) => {
  const id = await make(db, { days: 100, count: 4 })
  // As in the log, but not compressed: 30 MiB each.
  await sql`alter table rejected_interaction alter column item set storage external`.execute(db)
  await sql`update rejected_interaction set item = repeat('x', 30 * 1024 * 1024)`.execute(db)
  await sql`alter table rejected_interaction alter column item set storage extended`.execute(db)
  expect(await dropOldRejected(db, 90)).toBe(3)
  expect(await left(db)).toEqual({ [id]: 1 })
  expect(await dropRejected(db, {}, 'ada')).toBe(1)
})

test('a batch that is younger than a later one holds nothing up for long', async ({ db }) => {
  const young = await make(db, { days: 89, count: 2 })
  await make(db, { days: 91 })
  expect(await dropOldRejected(db, 90)).toBe(1)
  expect(await left(db)).toEqual({ [young]: 2 })
})

test('an event that is being replayed is left', async ({ db }) => {
  const id = await make(db, { days: 100, count: 2 })
  const replay = await db.startTransaction().execute()
  await sql`select from rejected_interaction where batch_id = ${id}::bigint and index = 0 for update`.execute(replay)
  expect(await dropOldRejected(db, 90)).toBe(1)
  await replay.rollback().execute()
  expect(await dropOldRejected(db, 90)).toBe(1)
})

test('drop deletes the events that are named, and notes it', async ({ db, database }) => {
  const one = await make(db, { days: 1, count: 3 })
  const id = rejectedIdOf({ batch_id: one, index: 1 })
  expect(await drop(database, id, '999999.0', '--yes')).toEqual({ code: 0, text: 'Deleted 1 rejected event.\n' })
  expect(await left(db)).toEqual({ [one]: 2 })
  expect(await drop(database, id, '--yes')).toEqual({ code: 0, text: 'There is no such rejected event.\n' })
  const [entry] = await dropEntries(db)
  expect(entry).toMatchObject({
    actor: actor(),
    resource_type: 'rejected_interaction',
    metadata: { ids: [id, '999999.0'], events: 1 },
  })
})

test('drop deletes by age, reason and kind, which are combined, and drop --all everything', async ({ db, database }) => {
  const old = await make(db, { days: 10, code: 'too_old' })
  const search = await make(db, { days: 10, kind: 'search' })
  const payment = await make(db, { days: 1, kind: 'payment', code: 'refused' })
  const plain = await make(db, { days: 1, count: 5_001 })
  await drop(database, '--older-than', '5', '--code', 'too_old', '--yes')
  expect(Object.keys(await left(db))).toEqual([search, payment, plain])
  expect(Object.keys(await left(db))).not.toContain(old)
  await drop(database, '--kind', 'search', '--yes')
  expect(Object.keys(await left(db))).toEqual([payment, plain])
  expect(await drop(database, '--all', '--yes')).toMatchObject({ text: 'Deleted 5,002 rejected events.\n' })
  expect(await left(db)).toEqual({})
  expect(await dropEntries(db)).toMatchObject([
    { metadata: { events: 5_002 } },
    { metadata: { kind: 'search', events: 1 } },
    { metadata: { olderThanDays: 5, code: 'too_old', events: 1 } },
  ])
})

test('drop deletes nothing without --yes where nobody can be asked, or when it is not clear what', async ({ db, database }) => {
  const id = await make(db, { days: 1 })
  const mistakes: [args: string[], sentence: string][] = [
    [['--all'], 'Delete 1 rejected event for good? Give --yes to do it without a terminal.'],
    [['--yes'], 'Name the ids to delete, or choose events'],
    [[`${id}.0`, '--all', '--yes'], 'Name the ids to delete'],
    [['--all', '--code', 'invalid', '--yes'], 'Name the ids to delete'],
    [['x', '--yes'], '"x" is not the id of a rejected event'],
    [['--code', 'nonsense', '--yes'], 'Allowed choices are invalid, too_old, in_future, refused'],
    [['--kind', 'analytics_event', '--yes'], 'Allowed choices are interaction, payment, search'],
    [['--older-than', '0', '--yes'], 'whole number from 1'],
  ]
  for (const [args, sentence] of mistakes) {
    const { code, text } = await drop(database, ...args)
    expect({ args, code, text }).toEqual({ args, code: 2, text: expect.stringContaining(sentence) })
  }
  expect(await left(db)).toEqual({ [id]: 1 })
  expect(await dropEntries(db)).toEqual([])
})

test('a cut event is listed with its size, and is not among those that wait to be replayed', async ({ db, database }) => {
  const id = await make(db, { days: 1 })
  await sql`update rejected_interaction set item = '{"text":"xxx', cut_from_bytes = 40000`.execute(db)
  expect(await rejectedInteraction(db, { batch_id: id, index: 0 })).toMatchObject({
    item: '{"text":"xxx',
    cut_from_bytes: 40_000,
  })
  expect(await openRejected(db, 10)).toEqual([])
  const { text } = await runCommand(rejectedCommand(), ['list'], { DATABASE_URL: database.url })
  expect(text).toContain('wrong (cut from 40000 bytes, cannot be replayed)')
  expect(text).toContain('No rejected event waits.')
})
