import { sql } from 'kysely'
import { expect } from 'vitest'
import { verifyCommand } from '../../src/cli/commands/verify.ts'
import { VerifyResponse } from '../../src/contract/verify.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { runCommand } from '../harness/programs/command.ts'

test('verify counts events and cells in words, lists the cells that differ, and exits with 1 for them', async ({
  db,
  database,
}) => {
  const verify = (...args: string[]) => runCommand(verifyCommand(), args, { DATABASE_URL: database.url })
  expect(await verify()).toEqual({ code: 0, text: '0 events in the log, no cells differ.\n' })
  await recordAndCount(db, [interaction({ refId: 'lamp' })])
  expect(await verify()).toEqual({ code: 0, text: '1 event in the log, no cells differ.\n' })
  await sql`update product_popularity set view_count = 5`.execute(db)
  expect(await verify()).toEqual({
    code: 1,
    text: 'product_popularity {"product_id":"lamp"} view_count: stored 5, expected 1\n1 event in the log, 1 cell differs.\n',
  })
  const { code, text } = await verify('--json')
  expect(code).toBe(1)
  expect(VerifyResponse.parse(JSON.parse(text))).toMatchObject({ drift_count: 1, events: 1 })
  const many = Array.from({ length: 1_100 }, (_, n) => interaction({ refId: `p${n}` }))
  await recordAndCount(db, many)
  await sql`update product_popularity set view_count = view_count + 1 where product_id <> 'lamp'`.execute(db)
  const listed = (await verify()).text.split('\n')
  expect(listed).toHaveLength(1_003)
  expect(listed.slice(-3)).toEqual(['101 more are not listed.', '1,101 events in the log, 1,101 cells differ.', ''])
})
