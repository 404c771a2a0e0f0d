import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, describe, expect } from 'vitest'
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
  const [one, other] = (await refuse(database, stack, event('lamp'), event(4711.5))) as [string, string]
  const list = await rejected(database, stack, ['list', '--limit', '1'])
  expect(list.text).toContain(other)
  expect(list.text).not.toContain(`'${one}'`)
  expect(list.text).toContain('Waiting to be replayed: 2')
  expect(JSON.parse((await rejected(database, stack, ['show', other])).text)).toMatchObject({
    id: other,
    field: 'ref_id',
    item: event(4711.5),
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
  const sent = [event(5.5), event('x'.repeat(201))]
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

const folder = mkdtempSync(join(tmpdir(), 'footfall-adapters-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A module with an adapter of acme; its `callbacksOf` is this code. @returns the settings of a command that uses it. */
function adapterWith(code: string): Record<string, string> {
  const file = join(folder, `${randomUUID()}.mjs`)
  writeFileSync(
    file,
    `export default { provider: 'acme', isSigned: () => true, headers: ['x-topic'], callbacksOf(body, { contentType, headers }) { ${code} } }`,
  )
  return { PAYMENT_ADAPTERS: file }
}

describe('a webhook that an adapter refused', () => {
  const callback = (id: string) => ({
    ...{
      callback_id: id,
      payment_ref: id,
      order_id: id,
      status: 'success',
      currency: 'EUR',
      occurred_at: '2026-03-01T12:00:00Z',
    },
    items: [{ product_id: 'lamp', seller_id: 'north', quantity: 1, unit_price: 500 }],
  })
  const MENDED = 'return body.callbacks'

  /** Keeps a webhook as the gateway does. @returns the id in the list. */
  async function keep(database: TestDatabase, stack: Stack, body: unknown, code: 'refused' | 'ignored' = 'refused') {
    const webhook = {
      provider: 'acme',
      content_type: 'application/json',
      headers: { 'x-topic': 'paid' },
      form: 'json' as const,
      body,
    }
    const sha256 = createHash('sha256').update(JSON.stringify(body)).digest('hex')
    await stack.ingress.client(analyticApi).KeepWebhook({ webhook, sha256, code, message: 'no product' })
    const args = ['list', '--json', ...(code === 'ignored' ? ['--ignored'] : [])]
    return (JSON.parse((await rejected(database, stack, args)).text) as RejectedInteraction[])[0]!.id
  }

  async function ordersOf(db: TestDatabase['db'], id: string): Promise<number> {
    const { rows } = await sql`select from payment_callback where order_id = ${id}`.execute(db)
    return rows.length
  }

  test('is recorded once after its adapter was mended, and is marked with that', async ({ db, database, stack }) => {
    const order = randomUUID()
    const id = await keep(database, stack, { callbacks: [callback(order)] })
    const settings = adapterWith(MENDED)
    expect(await rejected(database, stack, ['replay', '--all'], settings)).toEqual({
      code: 0,
      text: 'Replayed: 1 accepted, 0 recorded before, 0 rejected again, 0 replayed by another call.\n',
    })
    expect(await rejected(database, stack, ['list'])).toEqual({ code: 0, text: 'No rejected event waits.\n' })
    expect(await rejected(database, stack, ['replay', id], settings)).toMatchObject({
      code: 1,
      text: expect.stringContaining(`${id} was replayed already`),
    })
    expect(await ordersOf(db, order)).toBe(1)
    await stack.settled()
    expect((await verify(db)).drift).toEqual([])
  })

  test('counts once when its provider sent it too', async ({ database, stack }) => {
    const order = randomUUID()
    const id = await keep(database, stack, { callbacks: [callback(order)] })
    await stack.ingress.client(analyticApi).RecordPayment({ ...callback(order), provider: 'acme' } as never)
    expect(await rejected(database, stack, ['replay', id], adapterWith(MENDED))).toEqual({
      code: 0,
      text: `${id} recorded before\n`,
    })
  })

  test('stays as it is while its adapter refuses it', async ({ database, stack }) => {
    const id = await keep(database, stack, { n: randomUUID() })
    const again = await rejected(database, stack, ['replay', id], adapterWith("throw new Error('still no product')"))
    expect(again).toEqual({ code: 1, text: `${id} refused again: the adapter of acme: still no product\n` })
    expect((await rejected(database, stack, ['list'])).text).toContain('Waiting to be replayed: 1')
  })

  test('is settled when its adapter ignores it now', async ({ database, stack }) => {
    const id = await keep(database, stack, { n: randomUUID() })
    const ignoring = adapterWith("return { ignored: contentType + ' ' + headers['x-topic'] }")
    expect(await rejected(database, stack, ['replay', id], ignoring)).toEqual({
      code: 0,
      text: `${id} ignored: application/json paid\n`,
    })
    expect(await rejected(database, stack, ['list'])).toEqual({ code: 0, text: 'No rejected event waits.\n' })
  })

  test('becomes a line of the list for each callback that is rejected', async ({ db, database, stack }) => {
    const [order, late] = [randomUUID(), randomUUID()]
    const future = { ...callback(late), occurred_at: new Date(Date.now() + 3_600_000).toISOString() }
    const id = await keep(database, stack, { callbacks: [callback(order), future] })
    const { code, text } = await rejected(database, stack, ['replay', id], adapterWith(MENDED))
    expect([code, text]).toEqual([1, expect.stringMatching(new RegExp(`^${id} rejected again as \\d+\\.1: occurred_at: `))])
    expect([await ordersOf(db, order), await ordersOf(db, late)]).toEqual([1, 0])
    expect((await rejected(database, stack, ['list'])).text).toContain('in_future')
  })

  test('needs its adapter here, and takes no correction', async ({ database, stack }) => {
    const id = await keep(database, stack, { n: randomUUID() })
    const [none] = (await rejected(database, stack, ['replay', '--all'])).text.split('\n')
    expect(none).toBe(`${id} is a webhook of acme, and PAYMENT_ADAPTERS names no adapter of it here: set it as for the gateway`)
    expect(await rejected(database, stack, ['replay', id, '--set', 'ref_id=a'], adapterWith(MENDED))).toEqual({
      code: 1,
      text: `${id} is a webhook, which --set does not correct\n`,
    })
    const [batch_id, index] = id.split('.')
    const key = { batch_id: batch_id!, index: Number(index) }
    await expect(stack.ingress.client(analyticApi).ReplayRejected(key)).rejects.toThrow(/is a webhook/)
  })

  test('that ignored it first is replayed by --ignored alone', async ({ db, database, stack }) => {
    const order = randomUUID()
    const id = await keep(database, stack, { callbacks: [callback(order)] }, 'ignored')
    expect(await rejected(database, stack, ['list'])).toEqual({ code: 0, text: 'No rejected event waits.\n' })
    expect((await rejected(database, stack, ['list', '--ignored'])).text).toContain('Ignored by payment adapters: 1')
    const summary = (counts: string) => ({ code: 0, text: `Replayed: ${counts}, 0 replayed by another call.\n` })
    expect(await rejected(database, stack, ['replay', '--all'], adapterWith(MENDED))).toEqual(
      summary('0 accepted, 0 recorded before, 0 rejected again'),
    )
    expect(await rejected(database, stack, ['replay', '--ignored'], adapterWith('return []'))).toEqual(
      summary('0 accepted, 0 recorded before, 0 rejected again, 1 ignored by their adapters'),
    )
    expect(await rejected(database, stack, ['replay', '--ignored'], adapterWith(MENDED))).toEqual(
      summary('1 accepted, 0 recorded before, 0 rejected again'),
    )
    expect([id, await ordersOf(db, order)]).toEqual([expect.any(String), 1])
  })
})

test('an event that is no webhook takes no callbacks', async ({ database, stack }) => {
  const [id] = await refuse(database, stack, event(4711.5))
  const [batch_id, index] = id!.split('.')
  const request = { batch_id: batch_id!, index: Number(index), callbacks: [] }
  await expect(stack.ingress.client(analyticApi).ReplayRejected(request)).rejects.toThrow(/is for webhooks/)
})

const MISTAKES: [args: string[], sentence: string, code?: number][] = [
  [['show', '12'], '"12" is not the id of a rejected event'],
  [['show', '999999.0'], 'There is no rejected event 999999.0.', 1],
  [['replay', '999999.0'], 'there is no rejected event 999999.0', 1],
  [['replay', 'x'], '"x" is not the id of a rejected event'],
  [['replay'], 'Name the ids to replay, or give --all.'],
  [['replay', '1.0', '--all'], 'Name the ids to replay, or give --all.'],
  [['replay', '--ignored', '--all'], 'For ignored webhooks give --ignored.'],
  [['replay', '1.0', '1.1', '--set', 'ref_id=a'], '--set corrects one event'],
  [['replay', '1.0', '--set', 'ref_id'], "--set 'ref_id': it is FIELD=VALUE."],
  [['replay', '1.0', '--set', 'reff_id=a'], '--set reff_id: is not a field of an interaction'],
]

test('every mistake in an id or an option is reported with one sentence', async ({ database, stack }) => {
  for (const [args, sentence, status = 2] of MISTAKES) {
    const { code, text } = await rejected(database, stack, args)
    expect({ args, code, lines: text.trim().split('\n').length, text }).toEqual({
      args,
      code: status,
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

test('codes counts open items, and replay --code corrects and replays those of a code', async ({ db, database, stack }) => {
  expect(await rejected(database, stack, ['codes'])).toEqual({ code: 0, text: 'No rejected event waits.\n' })
  const things = ['lamp', 'desk'].map((ref_id) => ({ ...event(ref_id), ref_type: 'Thing' }))
  await refuse(database, stack, ...things, event(4711.5))
  expect(JSON.parse((await rejected(database, stack, ['codes', '--json'])).text)).toMatchObject([
    { code: 'invalid', kind: 'interaction', count: 3, replayable: 3 },
  ])
  expect((await rejected(database, stack, ['codes'])).text).toContain('invalid')
  const replayed = await rejected(database, stack, ['replay', '--code', 'invalid', '--set', 'ref_type=Product'])
  expect(replayed.code).toBe(1)
  expect(replayed.text).toMatch(/has completed: 2 accepted, 0 recorded before, 1 refused again, 0 skipped/)
  await stack.settled()
  expect((await verify(db)).drift).toEqual([])
})
