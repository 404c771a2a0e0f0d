import { sql } from 'kysely'
import { expect } from 'vitest'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { interaction, record } from '../harness/items/events.ts'
import { counted } from '../harness/items/ingest.ts'

test('an hour is proved as far as the log has its events, and too old ones are rejected', async ({ db }) => {
  const sent = interaction({ occurredAtMs: Date.now() - HOUR_MS })
  await record(db, [sent, sent, interaction({ occurredAtMs: sent.occurredAtMs + 1 })])
  // As if their month was dropped.
  await sql`update log_horizon set horizon = now()`.execute(db)
  await sql`delete from interaction`.execute(db)
  await record(db, [interaction({ occurredAtMs: Date.now() + HOUR_MS }), sent])
  expect(await counted(db)).toEqual({ interaction: { accepted: 3, duplicates: 1, rejected: 1 } })
  expect((await verify(db)).drift).toEqual([])
  await sql`update ingest_delta set duplicates = duplicates + 1 where duplicates > 0`.execute(db)
  expect((await verify(db)).drift).toMatchObject([{ aggregate: 'ingest_hour', column: 'duplicates', stored: '2', expected: '1' }])
})
