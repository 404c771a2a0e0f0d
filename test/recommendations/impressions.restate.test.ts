import { sql } from 'kysely'
import { expect } from 'vitest'
import { createImpressions } from '../../src/gateway/recording/impressions.ts'
import { createRecorderRoom } from '../../src/gateway/recording/recorder-room.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { waitingInRecorders } from '../../src/main/embedded/restate-queries.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'
import { impression, recordedImpressions } from '../harness/items/impressions.ts'
import { clear } from '../harness/servers/database.ts'
import { query, startStack } from '../harness/servers/stack.ts'

/** The services reach PostgreSQL through a proxy. */
const test = proxiedTest
  .extend('stack', { scope: 'file' }, async ({ proxied }, { onCleanup }) => {
    const stack = await startStack(proxied)
    onCleanup(stack.stop)
    return stack
  })
  .extend('noted', { scope: 'file' }, ({ stack }, { onCleanup }) => {
    const counts = { made: 0, handed_over: 0, lost: 0 }
    const ingress = createIngress({ url: stack.ingressUrl })
    const room = createRecorderRoom({ ingress, bytesMax: 16 * 1024 * 1024 })
    const observer = { impressions: (which: keyof typeof counts, count: number) => void (counts[which] += count) }
    const impressions = createImpressions({ ingress, room, isOn: true, observer })
    onCleanup(async () => {
      await impressions.stop()
      room.stop()
    })
    return { ...impressions, counts }
  })
test.beforeEach(({ db }) => clear(db))

const PATIENCE_MS = 30_000
const countOf = async (db: Database) => (await recordedImpressions(db)).length

test('impressions of a gateway are recorded once each, as they were made', async ({ db, noted }) => {
  const made = Array.from({ length: 20 }, (_, index) =>
    impression({
      shown_at: new Date(Date.UTC(2026, 2, 1) + index).toISOString(),
      shopper_id: index % 2 === 0 ? null : 'session:s',
    }),
  )
  for (const each of [...made, ...made]) noted.note(each)
  expect(await until(async () => (await countOf(db)) === 20, PATIENCE_MS)).toBe(true)
  expect(await recordedImpressions(db)).toEqual(made)
})

test('in an outage of PostgreSQL impressions wait in one inbox, hold no places, and are recorded afterwards', async ({
  db,
  proxy,
  stack,
  noted,
}) => {
  const before = noted.counts.handed_over
  await proxy.cut()
  try {
    for (let call = 0; call < 3; call++) {
      for (let made = 0; made < 10; made++) noted.note(impression())
      expect(await until(async () => noted.counts.handed_over === before + 10 * (call + 1), PATIENCE_MS)).toBe(true)
    }
    const waits = await waitingInRecorders(stack.adminUrl)
    expect(JSON.stringify(waits)).toContain('impressions')
    const running = await query(
      stack,
      "select target from sys_invocation where status in ('running', 'backing-off', 'suspended') and target_service_name = 'Recorder'",
    )
    expect(running.length).toBeLessThanOrEqual(1)
  } finally {
    await proxy.mend()
  }
  expect(await until(async () => (await countOf(db)) === 30, PATIENCE_MS)).toBe(true)
  expect(noted.counts.lost).toBe(0)
  expect((await verify(db)).drift).toEqual([])
  const { rows } = await sql`select from rejected_interaction`.execute(db)
  expect(rows).toEqual([])
})
