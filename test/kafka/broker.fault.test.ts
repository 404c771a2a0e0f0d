import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { createAdmin } from '../../src/consumer/client.ts'
import { exitOf, stopProcess } from '../../src/main/embedded/process.ts'
import { lagOfConsumer } from '../../src/main/consumer/lag-of-consumer.ts'
import { connect } from '../../src/store/database/connection.ts'
import { FencedError, seek, storedOffsets } from '../../src/store/kafka/offset.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { expectedCatalogue, storedCatalogue, upsert } from '../harness/items/products.ts'
import { productEvent } from '../harness/items/records.ts'
import { broken, changesOf, view } from '../harness/items/sent-records.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import { IS_OWN, NO_KAFKA, startBroker, type TestBroker } from '../harness/servers/kafka/broker.ts'
import { startConsumerProcess } from '../harness/servers/kafka/consumer-process.ts'
import { consume, countOf, untilRead } from '../harness/servers/kafka/consuming.ts'
import { makeTopics, type SentRecord, type TestTopics } from '../harness/servers/kafka/topics.ts'
import { type Cut, startStatementProxy } from '../harness/servers/statement-proxy.ts'
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

/** Restate is away: nothing listens there. */
const envFor = (databaseUrl: string) => ({ DATABASE_URL: databaseUrl, RESTATE_INGRESS_URL: 'http://127.0.0.1:1' })
const textOf = async (url: string) => await (await fetch(url)).text()

describe.skipIf(NO_KAFKA !== undefined)('with a broker', () => {
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

  test('a consumer that is killed while its transaction waits is followed by one that stores each record once', async ({
    db,
    database,
  }) => {
    const topics = await topicsWith(1)
    const env = envFor(database.url)
    await upsert(db, [{ product_id: 'p-1', name: 'Held', status: 'active', updated_at: '2020-01-01T00:00:00Z' }])
    const { sent, versions } = changesOf(150, 30)
    const holder = await db.startTransaction().execute()
    await sql`select from catalog.product where product_id = 'p-1' for update`.execute(holder)
    const first = await startConsumerProcess(topics, env, join(folder, 'first.log'))
    await topics.send([...sent, broken(1), ...Array.from({ length: 30 }, (_, n) => view(n))])
    const waits = async () =>
      (
        await sql`select from pg_stat_activity where application_name = 'footfall consumer' and wait_event_type = 'Lock'
          and datname = current_database()`.execute(db)
      ).rows.length
    await expect.poll(waits, { timeout: 20_000 }).toBeGreaterThan(0)
    await stopProcess(first.child, 'SIGKILL')
    await holder.rollback().execute()
    const second = await startConsumerProcess(topics, env, join(folder, 'second.log'))
    await untilRead(db, topics)
    expect(await storedCatalogue(db)).toMatchObject(expectedCatalogue(versions))
    expect(await countOf(db, 'interaction')).toBe(30)
    expect(await countOf(db, 'rejected_event')).toBe(1)
    expect(await textOf(`${second.metricsUrl}/metrics`)).toMatch(
      /footfall_kafka_records_total\{topic="[^"]+",outcome="rejected"\} 1/,
    )
    const ready = await fetch(`${second.metricsUrl}/ready`)
    expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'ready', kafka: true, postgresql: true }])
    const { data } = await lagOfConsumer(second.metricsUrl)
    expect(data.map(({ behind }) => behind)).toEqual(data.map(() => 0))
    expect(data.map(({ topic }) => topic)).toEqual(expect.arrayContaining([...topics.topics.keys()]))
    // The sweeper sends what could not be sent on.
    const failed = async () =>
      /footfall_kafka_failures_total\{kind="fan_out"\} [1-9]/.test(await textOf(`${second.metricsUrl}/metrics`))
    await expect.poll(failed, { timeout: 15_000 }).toBe(true)
    await stopProcess(second.child, 'SIGTERM')
    expect(second.child.exitCode).toBe(0)
  })

  test('wherever a consumer is killed, before or after each of its statements, each record is stored once', async ({
    db,
    database,
  }) => {
    const topics = await topicsWith(1)
    const { sent, versions } = changesOf(RECORDS_PER_DEATH * DEATHS_MAX, 60)
    const seen: string[] = []
    let deaths = 0
    /** Brings further records, and kills a consumer at a statement of its batch. @returns whether it had so many. */
    const dieAt = async (occurrence: number, where: Cut): Promise<boolean> => {
      const from = deaths * RECORDS_PER_DEATH
      await topics.send([...sent.slice(from, from + RECORDS_PER_DEATH), view(from), view(from + 1), broken(from)])
      let count = 0
      const cutAt = (statement: string) => {
        if (count === 0 && !/^begin|update kafka_offset/.test(statement.trim())) return undefined
        if (++count !== occurrence) return undefined
        seen.push(statement.trim().slice(0, 40))
        return where
      }
      let killed = async () => {}
      const proxy = await startStatementProxy(database.url, cutAt, () => killed())
      // A group of its own, because the brokers keep the partitions of a dead member for seconds.
      const env = { ...envFor(proxy.url), KAFKA_GROUP: `${topics.groupId}-${occurrence}-${where}` }
      const { child } = await startConsumerProcess(topics, env, join(folder, 'killed.log'))
      killed = () => stopProcess(child, 'SIGKILL')
      const outcome = await Promise.race([
        exitOf(child).then(() => 'died' as const),
        untilRead(db, topics, 60_000).then(() => 'read' as const),
      ])
      // Everything may be stored by the statement at which it is killed.
      const hasDied = outcome === 'died' || count >= occurrence
      await stopProcess(child, 'SIGKILL')
      await proxy.stop()
      return hasDied
    }
    for (const where of ['before', 'after'] as const) {
      for (let occurrence = 1; await dieAt(occurrence, where); occurrence++) {
        deaths++
        expect(deaths).toBeLessThan(DEATHS_MAX)
      }
      deaths++
    }
    const last = consume(db, topics, { groupId: `${topics.groupId}-last` })
    await untilRead(db, topics)
    await last.stop()
    expect(seen).toContain('commit')
    expect(new Set(seen).size).toBeGreaterThan(4)
    const read = versions.slice(0, deaths * RECORDS_PER_DEATH)
    expect(await storedCatalogue(db)).toEqual(expectedCatalogue(read))
    expect(await countOf(db, 'interaction')).toBe(2 * deaths)
    expect(await countOf(db, 'rejected_event')).toBe(deaths)
  }, 300_000)

  test('a consumer that is stopped under load ends its batch, and its rows are those of its offsets', async ({
    db,
    database,
  }) => {
    const topics = await topicsWith(1)
    const recordOf = (n: number): SentRecord => ({ kind: 'ProductUpdated', value: productEvent({ productId: `p-${n}` }) })
    let total = 0
    let isStopped = false
    const send = async () => {
      for (; !isStopped; total += 200) await topics.send(Array.from({ length: 200 }, (_, n) => recordOf(total + n)))
    }
    const env = envFor(database.url)
    const first = await startConsumerProcess(topics, env, join(folder, 'stopped.log'))
    const sending = send()
    await expect.poll(() => countOf(db, 'catalog.product'), { timeout: 30_000, interval: 10 }).toBeGreaterThan(0)
    await stopProcess(first.child, 'SIGTERM')
    expect(first.child.exitCode).toBe(0)
    const stored = await countOf(db, 'catalog.product')
    const next = async () => (await storedOffsets(db)).find(({ topic }) => topic === topics.nameOf.ProductUpdated)?.next
    expect(await next()).toBe(BigInt(stored))
    isStopped = true
    await sending
    const second = await startConsumerProcess(topics, env, join(folder, 'after-stop.log'))
    await untilRead(db, topics)
    await stopProcess(second.child, 'SIGTERM')
    expect(await countOf(db, 'catalog.product')).toBe(total)
    expect(await next()).toBe(BigInt(total))
  })

  test.skipIf(!IS_OWN)(
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

  test('a consumer that joins while PostgreSQL goes away leaves no member behind that keeps partitions from the others', async ({
    db,
    database,
  }) => {
    const topics = await topicsWith(2)
    const proxy = await startTcpProxy(database.url)
    const proxied = ['first', 'second'].map((name) => connect({ url: proxy.url, name, connectionsMax: 2, waitMsMax: 2_000 }))
    const first = consume(proxied[0]!, topics)
    const { sent, versions } = changesOf(40, 20)
    await topics.send(sent.slice(0, 20))
    await untilRead(db, topics)
    for (const pauseMs of [0, 200, 400, 800]) {
      const joined = Promise.withResolvers<void>()
      const second = consume(proxied[1]!, topics, {}, { joined: () => joined.resolve() })
      await joined.promise
      // The group is at different steps of letting it in.
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      await proxy.cut()
      await expect.poll(() => second.seen.sessions.length, { timeout: 100_000 }).toBeGreaterThan(0)
      await proxy.mend()
      await topics.send(sent.slice(20))
      await untilRead(db, topics, 40_000)
      await second.stop()
    }
    await first.stop()
    await Promise.all(proxied.map((each) => each.destroy()))
    await proxy.cut()
    expect(await storedCatalogue(db)).toEqual(expectedCatalogue(versions))
  }, 300_000)

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

const RECORDS_PER_DEATH = 10
/** More than twice the statements of a batch. */
const DEATHS_MAX = 60
