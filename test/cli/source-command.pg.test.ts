import { sql } from 'kysely'
import { expect } from 'vitest'
import { sourceCommand } from '../../src/cli/commands/source.ts'
import { actor } from '../../src/cli/terminal/actor.ts'
import { callOf } from '../../src/store/log/call.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { runCommand } from '../harness/programs/command.ts'
import type { TestDatabase } from '../harness/servers/database.ts'
import { analyticsEvent } from '../harness/items/recomputed.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

/** The output of the command. @throws its message when it fails. */
async function run(database: TestDatabase, ...args: string[]): Promise<string> {
  const { code, text } = await runCommand(sourceCommand(), args, { DATABASE_URL: database.url })
  if (code !== 0) throw new Error(text)
  return text
}

let calls = 0
const record = (db: Database, source: string) =>
  recordEvents(db, callOf(`call ${calls++}`, Buffer.from('')), [{ ...analyticsEvent({ source }), index: 0 }])

test('a source can be made inactive and active again, and each change is audited once', async ({ db, database }) => {
  expect(await record(db, 'erp')).toMatchObject({ accepted: 1 })
  for (let time = 0; time < 2; time++) {
    expect(await run(database, 'set', 'erp', '--inactive', '--provider', 'Acme')).toBe(
      'erp is inactive: its events are rejected.\n',
    )
  }
  expect(await record(db, 'erp')).toMatchObject({ accepted: 0, rejected: [{ code: 'inactive_source' }] })
  expect(await run(database, 'set', 'erp', '--active')).toBe('erp is active.\n')
  expect(await record(db, 'erp')).toMatchObject({ accepted: 1 })
  expect(await run(database, 'set', 'crm', '--description', 'customers')).toBe('crm is active.\n')
  expect(JSON.parse(await run(database, 'list', '--json'))).toEqual([
    { slug: 'crm', provider_name: null, description: 'customers', is_active: true },
    { slug: 'erp', provider_name: 'Acme', description: null, is_active: true },
  ])
  const { rows } = await sql`
    select actor, resource_id, metadata -> 'is_active' as active from audit_entry where action = 'source.change'
    order by audit_id`.execute(db)
  expect(rows).toEqual([
    { actor: actor(), resource_id: 'erp', active: false },
    { actor: actor(), resource_id: 'erp', active: true },
    { actor: actor(), resource_id: 'crm', active: true },
  ])
})

test.for([
  ['a slug with a space', ['set', 'e r p'], 'must be 1 to 64 of a-z'],
  ['an empty text', ['set', 'erp', '--description', ''], 'must have 1 to 200 characters'],
] as const)('%s is refused', async ([_name, args, message], { database }) => {
  await expect(run(database, ...args)).rejects.toThrow(message)
})
