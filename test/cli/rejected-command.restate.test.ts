import { sql } from 'kysely'
import { expect } from 'vitest'
import type { RejectedInteraction } from '../../src/contract/rejected.ts'
import { analyticApi } from '../../src/contract/services.ts'
import { rejectedCommand } from '../../src/cli/commands/rejected.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { type Ran, runCommand } from '../harness/programs/command.ts'
import type { TestDatabase } from '../harness/servers/database.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { restateTest as test } from '../harness/fixtures.ts'

test.beforeEach(async ({ db }) => {
  await sql`truncate rejected_interaction`.execute(db)
})

function rejected(database: TestDatabase, stack: Stack, args: string[], changes: Record<string, string> = {}): Promise<Ran> {
  const environment = { DATABASE_URL: database.url, RESTATE_INGRESS_URL: stack.ingressUrl, RESTATE_ADMIN_URL: stack.adminUrl }
  return runCommand(rejectedCommand(), args, { ...environment, ...changes })
}

const event = (ref_id: unknown) => ({ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id })

/** Has items rejected, and returns their ids in order. */
async function refuse(database: TestDatabase, stack: Stack, ...interactions: unknown[]): Promise<string[]> {
  await stack.ingress.client(analyticApi).CreateInteraction({ interactions })
  const listed = JSON.parse((await rejected(database, stack, ['list', '--json'])).text) as RejectedInteraction[]
  return listed
    .slice(0, interactions.length)
    .map((one) => one.id)
    .toReversed()
}

test('list shows open items, show their content, and replay sends them again', async ({ db, database, stack }) => {
  expect(await rejected(database, stack, ['list'])).toEqual({ code: 0, text: 'No rejected event waits.\n' })
  await sql`alter table interaction add constraint no_views check (event_type <> 'view')`.execute(db)
  const [one, other] = (await refuse(database, stack, event('lamp'), event(4711))) as [string, string]
  const list = await rejected(database, stack, ['list', '--limit', '1'])
  expect(list.text).toContain(other)
  expect(list.text).not.toContain(`'${one}'`)
  expect(list.text).toContain('Waiting to be replayed: 2')
  expect(JSON.parse((await rejected(database, stack, ['show', other])).text)).toMatchObject({
    id: other,
    field: 'ref_id',
    item: event(4711),
  })

  expect(await rejected(database, stack, ['replay', one])).toMatchObject({
    code: 1,
    text: expect.stringMatching(/rejected again as \d+\.0: .*no_views/),
  })
  await sql`alter table interaction drop constraint no_views`.execute(db)
  const again = (
    JSON.parse((await rejected(database, stack, ['list', '--json', '--limit', '1'])).text) as RejectedInteraction[]
  )[0]!.id
  const both = await rejected(database, stack, ['replay', again, one, again])
  expect(both.code).toBe(1)
  expect(both.text.split('\n')).toEqual([
    expect.stringMatching(new RegExp(`^${again.replace('.', '\\.')} accepted as [0-9a-f-]{36}$`)),
    expect.stringContaining(`${one} was replayed already`),
    '',
  ])
  expect(await rejected(database, stack, ['replay', other, '--set', 'ref_id=4711'])).toMatchObject({
    code: 0,
    text: expect.stringContaining('accepted'),
  })
  expect(await rejected(database, stack, ['list'])).toEqual({ code: 0, text: 'No rejected event waits.\n' })
  expect((await rejected(database, stack, ['list', '--all'])).text).toContain('replayed_at')
  await stack.settled()
  expect((await verify(db)).drift).toEqual([])
  const { rows } = await sql`select product_id, view_count from product_popularity order by 1`.execute(db)
  expect(rows).toEqual([
    { product_id: '4711', view_count: '1' },
    { product_id: 'lamp', view_count: '1' },
  ])
})

test('replay --all replays each open item once, and names items that are rejected again', async ({ db, database, stack }) => {
  const sent = [event(5), event('x'.repeat(201))]
  const ids = await refuse(database, stack, ...sent)
  const all = await rejected(database, stack, ['replay', '--all'])
  expect(all.code).toBe(1)
  const lines = all.text.trim().split('\n')
  expect(lines.map((line) => line.split(' ')[0])).toEqual([...ids, 'Replayed:'])
  expect(lines.at(-1)).toBe('Replayed: 0 accepted, 0 recorded before, 2 rejected again, 0 replayed by another call.')
  const open = JSON.parse((await rejected(database, stack, ['list', '--json'])).text) as RejectedInteraction[]
  expect(open.map((one) => one.item)).toMatchObject(sent.toReversed())
  for (const { id } of open)
    await rejected(database, stack, ['replay', id, '--set', 'ref_id=mended', '--set', 'account_number=5'])
  expect(await rejected(database, stack, ['replay', '--all'])).toEqual({
    code: 0,
    text: 'Replayed: 0 accepted, 0 recorded before, 0 rejected again, 0 replayed by another call.\n',
  })
  const { rows } = await sql`select account_number from interaction where ref_id = 'mended'`.execute(db)
  expect(rows).toEqual([{ account_number: '5' }, { account_number: '5' }])
})

const MISTAKES: [args: string[], sentence: string][] = [
  [['show', '12'], '"12" is not the id of a rejected event'],
  [['show', '999999.0'], 'There is no rejected event 999999.0.'],
  [['replay', '999999.0'], 'there is no rejected event 999999.0'],
  [['replay', 'x'], '"x" is not the id of a rejected event'],
  [['replay'], 'Name the ids to replay, or give --all.'],
  [['replay', '1.0', '--all'], 'Name the ids to replay, or give --all.'],
  [['replay', '1.0', '1.1', '--set', 'ref_id=a'], '--set corrects one event'],
  [['replay', '1.0', '--set', 'ref_id'], "--set 'ref_id': it is FIELD=VALUE."],
  [['replay', '1.0', '--set', 'reff_id=a'], '--set reff_id: is not a field of an interaction'],
]

test('every mistake in an id or an option is reported with one sentence', async ({ database, stack }) => {
  for (const [args, sentence] of MISTAKES) {
    const { code, text } = await rejected(database, stack, args)
    expect({ args, code, lines: text.trim().split('\n').length, text }).toEqual({
      args,
      code: 1,
      lines: 1,
      text: expect.stringContaining(sentence),
    })
  }
})

test('replay says that the program must run, and list works without', async ({ database, stack }) => {
  const away = { RESTATE_INGRESS_URL: 'http://127.0.0.1:1', RESTATE_ADMIN_URL: 'http://127.0.0.1:1' }
  expect(await rejected(database, stack, ['replay', '--all'], away)).toEqual({
    code: 1,
    text: 'Restate does not answer at http://127.0.0.1:1: replaying works while Footfall runs (npm start).\n',
  })
  expect(await rejected(database, stack, ['list'], away)).toMatchObject({ code: 0 })
})
