import { join } from 'node:path'
import { rm } from 'node:fs/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { judgeRecords } from '../../src/admission/judge-records.ts'
import { type ConsumerOptions, runConsumer } from '../../src/consumer/consumer.ts'
import { kafkaCommand } from '../../src/cli/commands/kafka.ts'
import { createAdmin } from '../../src/consumer/client.ts'
import { lagOf } from '../../src/consumer/lag.ts'
import type { Product } from '../../src/contract/product.ts'
import { stopProcess } from '../../src/main/embedded/process.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { FencedError, seek, storedOffsets } from '../../src/store/kafka/offset.ts'
import type { BatchBounds } from '../../src/store/log/batch.ts'
import { createTombstones } from '../../src/store/log/tombstone.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { expectedCatalogue, storedCatalogue, upsert } from '../harness/items/products.ts'
import { mirrored, NOON_MS, productEvent } from '../harness/items/records.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import { GIVEN, NO_KAFKA, startBroker, type TestBroker } from '../harness/servers/kafka/broker.ts'
import { startConsumerProcess } from '../harness/servers/kafka/consumer-process.ts'
import { makeTopics, type SentRecord, type TestTopics } from '../harness/servers/kafka/topics.ts'
import { runCommand } from '../harness/programs/command.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'

let broker: TestBroker
let folder: string
const open: TestTopics[] = []
beforeAll(async () => {
  if (NO_KAFKA !== undefined) return
  broker = await startBroker()
  folder = makeDataFolder('consumer')
}, 120_000)
afterAll(async () => {
  await Promise.all(open.map((topics) => topics.close()))
  await broker?.stop()
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
})

async function topicsWith(partitions: number): Promise<TestTopics> {
  const topics = await makeTopics(broker.address, partitions)
  open.push(topics)
  return topics
}

/** A consumer of this process. */
function consume(db: Database, { settings, topics, groupId }: TestTopics, changes: Partial<ConsumerOptions> = {}) {
  const stop = new AbortController()
  const seen = { fannedOut: [] as BatchBounds[], outages: 0, sessions: [] as unknown[], moved: 0 }
  const done = runConsumer(
    {
      db,
      brokers: settings,
      groupId,
      topics,
      judge: (records) =>
        judgeRecords(records, { nowMs: Date.now(), currency: 'EUR', privacy: { ipAddress: 'keep', userAgent: 'keep' } }),
      tombstones: createTombstones(undefined),
      fanOut: (batch) => seen.fannedOut.push(batch),
      observer: {
        stored: () => undefined,
        failed: (_error, isOutage) => void (isOutage && seen.outages++),
        setAside: () => undefined,
        joined: () => undefined,
        left: (error) => seen.sessions.push(error),
        moved: () => void seen.moved++,
      },
      batchMs: 100,
      retry: { firstMs: 100, maxMs: 1_000, retriesMax: 4 },
      ...changes,
    },
    stop.signal,
  )
  return {
    seen,
    stop: async () => {
      stop.abort()
      await done
    },
  }
}

/** Until every offset of the topics is stored. */
async function untilRead(db: Database, { settings, topics }: TestTopics, timeout = 30_000): Promise<void> {
  const admin = createAdmin(settings)
  try {
    const behind = async () => {
      const lags = await lagOf(admin, [...topics.keys()], await storedOffsets(db)).catch(() => undefined)
      return lags?.every(({ next, behind: records, end }) => records === 0n && (next !== null || end === 0n))
    }
    await expect.poll(behind, { timeout, interval: 100 }).toBe(true)
  } finally {
    await admin.close()
  }
}

/** How many records the topics have. */
async function endOf({ settings, topics }: TestTopics): Promise<number> {
  const admin = createAdmin(settings)
  const lags = await lagOf(admin, [...topics.keys()], [])
  await admin.close()
  return lags.reduce((sum, { end }) => sum + Number(end ?? 0), 0)
}

const KINDS = ['ProductCreated', 'ProductUpdated', 'ProductDeleted'] as const

/** A shop's changes, some of them twice and out of order, by numbers that a seed decides. */
function changesOf(count: number, products: number): { sent: SentRecord[]; versions: Product[] } {
  const numbers = Array.from({ length: count }, (_, n) => (n * 7_919 + 13) % 10_007)
  const events = numbers.map((number, n) => {
    const eventType = KINDS[number % 11 === 0 ? 2 : n % 2]!
    const id = number % products
    const data = {
      productId: `p-${id}`,
      sellerId: `s-${id % 7}`,
      name: `Name ${number}`,
      price: number,
      quantity: number % 30,
      category: `c-${id % 5}`,
    }
    return productEvent(eventType === 'ProductDeleted' ? { ...data, deletedAt: 1 } : data, {
      eventType,
      timestamp: NOON_MS + number,
    })
  })
  const sent = [...events, ...events.slice(0, 20)].map((value) => ({
    kind: value['eventType'] as (typeof KINDS)[number],
    value,
    key: (value['data'] as { sellerId: string }).sellerId,
  }))
  return { sent, versions: events.map((event) => mirrored(event)) }
}

const view = (n: number): SentRecord => ({
  kind: 'interaction',
  value: { session_id: `s-${n % 9}`, event_type: 'view', ref_type: 'Product', ref_id: `p-${n % 40}` },
})
const broken = (n: number): SentRecord => ({ kind: 'ProductUpdated', value: Buffer.from(`broken ${n}`) })
const countOf = async (db: Database, table: string) =>
  Number((await sql<{ n: string }>`select count(*) as n from ${sql.table(table)}`.execute(db)).rows[0]!.n)

describe.skipIf(NO_KAFKA !== undefined)('with a broker', () => {
  test('changes by Kafka and by calls, in any order, give the reference, and wrong records are kept', async ({ db }) => {
    const topics = await topicsWith(2)
    const { sent, versions } = changesOf(600, 80)
    const byCalls = changesOf(100, 80).versions.map((version, n) => ({ ...version, name: `By call ${n}` }))
    const consumer = consume(db, topics)
    const views = Array.from({ length: 60 }, (_, n) => view(n))
    await Promise.all([
      topics.send([
        ...sent.slice(0, 300),
        broken(1),
        { kind: 'ProductUpdated', value: null },
        ...views,
        ...sent.slice(300),
        broken(2),
      ]),
      (async () => {
        for (let at = 0; at < byCalls.length; at += 10) await upsert(db, byCalls.slice(at, at + 10))
      })(),
    ])
    await untilRead(db, topics)
    expect(await endOf(topics)).toBe(sent.length + 63)
    expect(await storedCatalogue(db)).toEqual(expectedCatalogue([...versions, ...byCalls]))
    expect(await countOf(db, 'interaction')).toBe(60)
    expect(await countOf(db, 'rejected_event')).toBe(3)
    expect(consumer.seen.fannedOut.length).toBeGreaterThan(0)
    // Again from the start: nothing is stored twice, by a consumer that was running.
    for (const { topic, partition } of await storedOffsets(db)) await seek(db, { topic, partition, next: 0n }, 'ada')
    await topics.send([view(100)])
    await untilRead(db, topics)
    expect(await countOf(db, 'interaction')).toBe(61)
    expect(await countOf(db, 'rejected_event')).toBe(3)
    await consumer.stop()
  })

  test('two consumers of one partition that no group keeps apart store each record once, and one of both is fenced', async ({
    db,
    database,
  }) => {
    const topics = await topicsWith(1)
    const otherDb = connect({ url: database.url, name: 'test' })
    const consumers = [consume(db, topics), consume(otherDb, topics, { groupId: `${topics.groupId}-other` })]
    const fenced = () => consumers.flatMap(({ seen }) => seen.sessions).filter((error) => error instanceof FencedError).length
    const { sent, versions } = changesOf(300, 50)
    await topics.send(sent.slice(0, 20))
    await untilRead(db, topics)
    // Until both of them wait for the same offset, so that one of them finds it moved.
    for (let place = 20; fenced() === 0; place += 10) {
      const holder = await db.startTransaction().execute()
      await sql`select from kafka_offset for update`.execute(holder)
      await topics.send([...sent.slice(place, place + 10), broken(place), view(place)])
      const waits = sql`select from pg_stat_activity where application_name = 'test' and wait_event_type = 'Lock'
        and datname = current_database()`
      await expect.poll(async () => (await waits.execute(db)).rows.length, { timeout: 20_000 }).toBe(2)
      await holder.rollback().execute()
      await untilRead(db, topics)
    }
    await topics.send(sent)
    await untilRead(db, topics)
    await Promise.all(consumers.map((consumer) => consumer.stop()))
    await otherDb.destroy()
    expect(await storedCatalogue(db)).toEqual(expectedCatalogue(versions))
    expect(await countOf(db, 'interaction')).toBe(await countOf(db, 'rejected_event'))
  })

  test('a consumer that is killed inside its transaction is followed by one that stores each record once', async ({
    db,
    database,
  }) => {
    const topics = await topicsWith(1)
    // Restate is away: nothing listens there.
    const env = { DATABASE_URL: database.url, RESTATE_INGRESS_URL: 'http://127.0.0.1:1' }
    await upsert(db, [{ product_id: 'p-1', name: 'Held', status: 'active', updated_at: '2020-01-01T00:00:00Z' }])
    const { sent, versions } = changesOf(150, 30)
    const holder = await db.startTransaction().execute()
    await sql`select from catalog.product where product_id = 'p-1' for update`.execute(holder)
    const first = await startConsumerProcess(topics, env, join(folder, 'first.log'))
    await topics.send([...sent, broken(1), ...Array.from({ length: 30 }, (_, n) => view(n))])
    const waits = async () =>
      (
        await sql`select from pg_stat_activity where application_name = 'footfall consumer' and wait_event_type = 'Lock' and datname = current_database()`.execute(
          db,
        )
      ).rows.length
    await expect.poll(waits, { timeout: 20_000 }).toBeGreaterThan(0)
    await stopProcess(first.child, 'SIGKILL')
    await holder.rollback().execute()
    const second = await startConsumerProcess(topics, env, join(folder, 'second.log'))
    await untilRead(db, topics)
    expect(await storedCatalogue(db)).toMatchObject(expectedCatalogue(versions))
    expect(await countOf(db, 'interaction')).toBe(30)
    expect(await countOf(db, 'rejected_event')).toBe(1)
    const text = await (await fetch(`${second.metricsUrl}/metrics`)).text()
    expect(text).toMatch(/footfall_kafka_records_total\{topic="[^"]+",outcome="rejected"\} 1/)
    const ready = await fetch(`${second.metricsUrl}/ready`)
    expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'ready', kafka: true, postgresql: true }])
    // The sweeper sends what could not be sent on.
    await expect
      .poll(
        async () =>
          /footfall_kafka_failures_total\{kind="fan_out"\} [1-9]/.test(
            await (await fetch(`${second.metricsUrl}/metrics`)).text(),
          ),
        { timeout: 15_000 },
      )
      .toBe(true)
    await stopProcess(second.child, 'SIGTERM')
    expect(second.child.exitCode).toBe(0)
  })

  test.skipIf(GIVEN !== undefined)(
    'PostgreSQL away for 20 s and a broker that is killed in the meantime lose nothing',
    async ({ db, database }) => {
      const topics = await topicsWith(2)
      const proxy = await startTcpProxy(database.url)
      const proxied = connect({ url: proxy.url, name: 'proxied', connectionsMax: 2, waitMsMax: 2_000 })
      const consumer = consume(proxied, topics)
      const { sent, versions } = changesOf(400, 60)
      await topics.send(sent.slice(0, 150))
      await untilRead(db, topics)
      await proxy.cut()
      const cutMs = performance.now()
      await topics.send([...sent.slice(150, 300), broken(1)])
      await expect.poll(() => consumer.seen.outages, { timeout: 15_000 }).toBeGreaterThan(2)
      await broker.kill()
      await broker.start()
      await topics.send([...sent.slice(300), ...Array.from({ length: 20 }, (_, n) => view(n))])
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, 20_000 - (performance.now() - cutMs))))
      await proxy.mend()
      await untilRead(db, topics, 40_000)
      await consumer.stop()
      await proxied.destroy()
      await proxy.cut()
      expect(await storedCatalogue(db)).toEqual(expectedCatalogue(versions))
      expect(await countOf(db, 'interaction')).toBe(20)
      expect(await countOf(db, 'rejected_event')).toBe(1)
    },
    120_000,
  )

  test('kafka status shows the lag of each partition, and kafka seek moves one and says so in the audit trail', async ({
    db,
    database,
  }) => {
    const { nameOf, settings, send, ...topics } = await topicsWith(2)
    const env = {
      DATABASE_URL: database.url,
      KAFKA_BROKERS: settings.brokers.join(','),
      KAFKA_TOPIC_CREATED: nameOf.ProductCreated,
      KAFKA_TOPIC_UPDATED: nameOf.ProductUpdated,
      KAFKA_TOPIC_DELETED: nameOf.ProductDeleted,
      KAFKA_TOPIC_INTERACTIONS: nameOf.interaction,
    }
    const run = (...args: string[]) => runCommand(kafkaCommand(), args, env)
    const partitionOf = async (partition: number) => {
      const { text } = await run('status', '--json')
      const lags = JSON.parse(text) as { topic: string; partition: number }[]
      return lags.find((lag) => lag.topic === nameOf.ProductUpdated && lag.partition === partition)
    }
    await send([0, 1, 2].map(() => ({ kind: 'ProductUpdated', value: productEvent(), partition: 1 })))
    expect(await partitionOf(1)).toMatchObject({ next: null, first: 0, end: 3, behind: 3 })
    const consumer = consume(db, { ...topics, nameOf, settings, send })
    await untilRead(db, { ...topics, nameOf, settings, send })
    await consumer.stop()
    expect(await partitionOf(1)).toMatchObject({ next: 3, end: 3, behind: 0 })
    expect(await run('seek', nameOf.ProductUpdated, '1', 'start')).toMatchObject({
      code: 0,
      text: `${nameOf.ProductUpdated}/1: 3 → 0.\n`,
    })
    expect(await run('seek', nameOf.ProductUpdated, '1', '4')).toMatchObject({
      code: 1,
      text: expect.stringContaining('has the offsets 0 to 3'),
    })
    expect(await run('seek', 'elsewhere', '1', '4')).toMatchObject({ code: 1 })
    expect(await partitionOf(1)).toMatchObject({ next: 0, behind: 3 })
    const { rows } = await sql`select resource_id, metadata from audit_entry where action = 'kafka.seek'`.execute(db)
    expect(rows).toEqual([{ resource_id: `${nameOf.ProductUpdated}/1`, metadata: { from: '3', to: '0' } }])
  })

  test('topics that are made later, and offsets that a topic does not have, are read', async ({ db }) => {
    const topics = await topicsWith(1)
    const only = new Map([...topics.topics].slice(0, 1))
    const later = { ...topics, topics: new Map([...only, [`${topics.groupId}.later`, 'ProductUpdated' as const]]) }
    await seek(db, { topic: topics.nameOf.ProductCreated, partition: 0, next: 1_000n }, 'ada')
    const consumer = consume(db, later, { lookMs: 200 })
    await topics.send([{ kind: 'ProductCreated', value: productEvent({}, { eventType: 'ProductCreated' }) }])
    await expect.poll(() => countOf(db, 'catalog.product'), { timeout: 20_000 }).toBe(1)
    expect(consumer.seen.moved).toBe(1)
    const admin = createAdmin(topics.settings)
    await admin.createTopics({ topics: [`${topics.groupId}.later`], partitions: 1, replicas: 1 })
    await admin.close()
    await expect.poll(async () => (await storedOffsets(db)).length, { timeout: 20_000 }).toBe(2)
    await consumer.stop()
  })
})
