import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Task } from '../../services/handler/deps.ts'
import { TASKS } from '../../services/tasks/all.ts'
import type { RecordedBatch } from '../../src/contract/recorded-batch.ts'
import { analyticApi, catalogApi, popularityApi, scheduleApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import { createRegistry } from '../../src/main/metrics/registry.ts'
import { serviceMetrics } from '../../src/main/metrics/services.ts'
import { takeLock } from '../../src/store/database/locks.ts'
import { backlog } from '../../src/store/log/backlog.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { valueOf } from '../harness/clients/prometheus.ts'
import { restateTest } from '../harness/fixtures.ts'
import { interaction, record } from '../harness/items/events.ts'
import { clear } from '../harness/servers/database.ts'
import { query, type Stack } from '../harness/servers/stack.ts'

const registry = createRegistry()
/** The messages that the task below sends in its next run. */
let messages: RecordedBatch[] = []
/** Only handlers may send to these handlers. */
const sendMessages: Task = {
  description: 'sends the messages of a test',
  everyMs: 3_600_000,
  isOn: () => true,
  run: async (_deps, ctx) => {
    for (const message of await ctx.run('read the messages', async () => messages)) {
      ctx.sendClient(popularityApi).HandlePopularityEvent(message)
      ctx.sendClient(catalogApi).AddInteraction(message)
    }
  },
}
const test = restateTest.extend(
  'services',
  { scope: 'file' },
  { deps: { tasks: { ...TASKS, 'send messages': sendMessages }, observer: serviceMetrics(registry) } },
)
test.beforeEach(({ db }) => clear(db))

const lostBatches = async (target: string) => valueOf(await registry.metrics(), 'footfall_lost_batches_total', { target })

/** Sends messages of a batch to counting and feeding, and resolves when every call has ended. */
async function deliver(stack: Stack, sent: RecordedBatch[]): Promise<void> {
  messages = sent
  const schedule = stack.ingress.client(scheduleApi, 'send messages')
  const { last_run: before } = await schedule.Info({})
  await schedule.Start({ every_ms: sendMessages.everyMs })
  const isSent = async () => {
    const { last_run: run } = await schedule.Info({})
    return run?.slot !== before?.slot && run?.outcome === 'completed'
  }
  expect(await until(isSent, 20_000)).toBe(true)
  await schedule.Stop({})
  const open = `select id from sys_invocation where status <> 'completed' and target_service_name in ('Popularity', 'Catalog')`
  expect(await until(async () => (await query(stack, open)).length === 0, 20_000)).toBe(true)
}

test('the messages of a lost batch end at once, and each is counted as lost', async ({ db, stack }) => {
  const before = [await lostBatches('popularity'), await lostBatches('profiles')]
  const { batchId, call, from, to } = await record(db, [interaction()])
  const message = { batch_id: batchId, from, to, call: call! }
  await deliver(stack, [
    { ...message, batch_id: '4711' },
    { ...message, batch_id: '4712', call: undefined },
    { ...message, call: 'f'.repeat(32) },
  ])
  expect([await lostBatches('popularity'), await lostBatches('profiles')]).toEqual(before.map((count) => count + 3))
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 1, unfedBatches: 1 })
  await deliver(stack, [message])
  expect([await lostBatches('popularity'), await lostBatches('profiles')]).toEqual(before.map((count) => count + 3))
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 0, unfedBatches: 0 })
  expect((await verify(db)).drift).toEqual([])
})

test('the message that a recording call sends names the call', async ({ db, stack }) => {
  const before = await lostBatches('popularity')
  await db.transaction().execute(async (tx) => {
    // Counting waits for it, as for a rescore.
    await takeLock(tx, 'rules', 'exclusive')
    const interactions = [{ account_id: 'ada', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }]
    await stack.ingress.client(analyticApi).CreateInteraction({ interactions })
    await sql`update interaction_batch set invocation_id = 'another call'`.execute(db)
  })
  expect(await until(async () => (await lostBatches('popularity')) === before + 1, 20_000)).toBe(true)
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 1 })
})
