import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { kafkaCommand } from '../../src/cli/commands/kafka.ts'
import { seek, storedOffsets } from '../../src/store/kafka/offset.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { expectedCatalogue, storedCatalogue, upsert } from '../harness/items/products.ts'
import { mirrored, NOON_MS, productEvent } from '../harness/items/records.ts'
import { broken, changesOf, view } from '../harness/items/sent-records.ts'
import { runCommand } from '../harness/programs/command.ts'
import { NO_KAFKA, startBroker, type TestBroker } from '../harness/servers/kafka/broker.ts'
import { consume, countOf, endOf, untilRead } from '../harness/servers/kafka/consuming.ts'
import { makeTopics, type SentRecord, type TestTopics } from '../harness/servers/kafka/topics.ts'

let broker: TestBroker
const open: TestTopics[] = []
beforeAll(async () => {
  if (NO_KAFKA === undefined) broker = await startBroker()
}, 120_000)
afterAll(async () => {
  await Promise.all(open.map((topics) => topics.close()))
  await broker?.stop()
})

async function topicsWith(partitions: number): Promise<TestTopics> {
  const topics = await makeTopics(broker.address, partitions)
  open.push(topics)
  return topics
}

describe.skipIf(NO_KAFKA !== undefined)('with a broker', () => {
  test('changes by Kafka and by calls, in any order, give the reference, and wrong records are kept', async ({ db }) => {
    const topics = await topicsWith(2)
    const { sent, versions } = changesOf(600, 80)
    const byCalls = changesOf(100, 80).versions.map((version, n) => ({ ...version, name: `By call ${n}` }))
    const consumer = consume(db, topics)
    const views = Array.from({ length: 60 }, (_, n) => view(n))
    const tombstone: SentRecord = { kind: 'ProductUpdated', value: null }
    await Promise.all([
      topics.send([...sent.slice(0, 300), broken(1), tombstone, ...views, ...sent.slice(300), broken(2)]),
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

  test('each bad record is kept with its reason and its bytes, and holds up no other', async ({ db }) => {
    const topics = await topicsWith(1)
    const kind = 'ProductUpdated'
    const bad: [reason: string, record: Omit<SentRecord, 'kind'>][] = [
      ['is not JSON', { value: Buffer.from('{"eventId":') }],
      ['is not UTF-8', { value: Buffer.from([0x7b, 0xff]) }],
      ['is a tombstone, and no event', { value: null }],
      ['must be ProductUpdated in this topic', { value: productEvent({}, { eventType: 'ProductCreated' }) }],
      ['data.price', { value: productEvent({ price: -1 }) }],
      ['data.price', { value: productEvent({ price: 4.5 }) }],
      ['data.quantity', { value: productEvent({ quantity: 0.5 }) }],
      ['timestamp', { value: productEvent({}, { timestamp: Date.now() + 3_600_000 }) }],
      ['data.price', { value: productEvent({ price: -1, description: 'x'.repeat(900_000) }), key: Buffer.from([0xff]) }],
    ]
    const good = [
      productEvent({ productId: 'free', price: 0 }),
      productEvent({ productId: 'large', description: 'x'.repeat(950_000) }),
      productEvent({ productId: 'unknown-seller', sellerId: 'never seen' }),
      productEvent({ productId: 'twice' }, { eventId: 'same' }),
      productEvent({ productId: 'twice', name: 'Other' }, { eventId: 'same', timestamp: NOON_MS + 1 }),
    ]
    const sent = bad.flatMap(([, record], n): SentRecord[] => [
      { kind, ...record },
      { kind, value: good[n % good.length], key: Buffer.from([0xfe, n]) },
    ])
    const consumer = consume(db, topics)
    await topics.send(sent)
    await untilRead(db, topics)
    await consumer.stop()
    expect(await storedCatalogue(db)).toEqual(expectedCatalogue(good.map((event) => mirrored(event))))
    const { rows } = await sql<{ reason: string; value: Buffer | null; key: Buffer }>`
      select coalesce(field, reason) as reason, value, key from rejected_event order by "offset"`.execute(db)
    const reasons = bad.map(([reason]) => (reason.startsWith('must be') ? 'eventType' : reason))
    expect(rows.map(({ reason }) => reason)).toEqual(reasons)
    for (const [n, { value }] of bad.map(([, record]) => record).entries()) {
      const bytes = value === null || Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value))
      expect(rows[n]!.value?.equals(bytes as Buffer) ?? null).toBe(bytes === null ? null : true)
    }
    expect(rows.at(-1)!.key).toEqual(Buffer.from([0xff]))
  })

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
    const absent = await runCommand(kafkaCommand(), ['status'], { ...env, KAFKA_TOPIC_CREATED: 'no-such-topic' })
    expect(absent.text).toMatch(/Topics that do not exist: no-such-topic\.\n$/)
    expect((await run('status')).text).not.toContain('do not exist')
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
})
