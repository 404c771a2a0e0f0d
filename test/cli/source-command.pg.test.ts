import { sql } from 'kysely'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { sourceCommand } from '../../src/cli/commands/source.ts'
import { actor } from '../../src/cli/terminal/actor.ts'
import { callOf } from '../../src/store/log/call.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { runCommand } from '../harness/programs/command.ts'
import { createDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { analyticsEvent } from '../harness/items/recomputed.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
})
afterAll(() => database.drop())

/** What the command prints. @throws what it complains of. */
async function run(...args: string[]): Promise<string> {
  const { code, text } = await runCommand(sourceCommand(), args, { DATABASE_URL: database.url })
  if (code !== 0) throw new Error(text)
  return text
}

let calls = 0
const record = (source: string) =>
  recordEvents(database.db, callOf(`call ${calls++}`, Buffer.from('')), [{ ...analyticsEvent({ source }), index: 0 }])

test('a source is made inactive and active again, and each change is written down once', async () => {
  expect(await record('erp')).toMatchObject({ accepted: 1 })
  for (let time = 0; time < 2; time++) {
    expect(await run('set', 'erp', '--inactive', '--provider', 'Acme')).toBe('erp is inactive: its events are rejected.\n')
  }
  expect(await record('erp')).toMatchObject({ accepted: 0, rejected: [{ code: 'inactive_source' }] })
  expect(await run('set', 'erp', '--active')).toBe('erp is active.\n')
  expect(await record('erp')).toMatchObject({ accepted: 1 })
  expect(await run('set', 'crm', '--description', 'customers')).toBe('crm is active.\n')
  expect(JSON.parse(await run('list', '--json'))).toEqual([
    { slug: 'crm', provider_name: null, description: 'customers', is_active: true },
    { slug: 'erp', provider_name: 'Acme', description: null, is_active: true },
  ])
  const { rows } = await sql`
    select actor, resource_id, metadata -> 'is_active' as active from audit_entry where action = 'source.change'
    order by audit_id`.execute(database.db)
  expect(rows).toEqual([
    { actor: actor(), resource_id: 'erp', active: false },
    { actor: actor(), resource_id: 'erp', active: true },
    { actor: actor(), resource_id: 'crm', active: true },
  ])
})

test.each([
  ['a slug with a space', ['set', 'e r p'], 'must be 1 to 64 of a-z'],
  ['an empty text', ['set', 'erp', '--description', ''], 'must have 1 to 200 characters'],
])('%s is refused', async (_name, args, message) => {
  await expect(run(...args)).rejects.toThrow(message)
})
