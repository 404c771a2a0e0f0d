import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { runConsumer } from '../../../src/consumer/consumer.ts'
import type { Product } from '../../../src/contract/product.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { createTombstones } from '../../../src/store/log/tombstone.ts'
import { createRecordJudge } from '../../../src/workers/record-judge.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { upsert } from '../../harness/items/products.ts'
import { mirrored, NOON_MS, productEvent } from '../../harness/items/records.ts'
import { NO_KAFKA, startBroker } from '../../harness/servers/kafka/broker.ts'
import { makeTopics, type SentRecord, type TestTopics } from '../../harness/servers/kafka/topics.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'

const FULL = { records: 30_000, products: 10_000, rounds: 5, liveSeconds: 20, large: 100 }
// The first thousands of records of a process are several times slower.
const QUICK = { records: 4_000, products: 1_300, rounds: 2, liveSeconds: 2, large: 12 }
const BATCH = 100
const LIVE_PER_SECOND = 500
const LIVE_EVERY_MS = 20
const SHARE_MIN = 0.8
const LOOP_MS_MAX = 20
const PARTITIONS = 4

interface Run {
  perSecond: number
  loopP99Ms: number
}

/** Records from a topic to the catalog, against the same upserts without Kafka; how old records are when they are stored. */
export function kafka(isQuick: boolean): Promise<RowResult> {
  if (NO_KAFKA !== undefined) throw new Error(`there is no Kafka: ${NO_KAFKA}`)
  const { records, products, rounds, liveSeconds, large } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const broker = stopAtEnd(await startBroker())
    const events = Array.from({ length: records }, (_, n) => eventOf(n, products))
    const topics = await makeTopics(broker.address, PARTITIONS)
    stopAtEnd({ stop: topics.close })
    await topics.send(events.map(sentOf))
    const versions = events.map((event) => mirrored(event))
    const withDatabase = (work: (db: Database) => Promise<Run>) => async () => {
      const { db, drop } = await createDatabase(postgres.url)
      try {
        return await work(db)
      } finally {
        await drop()
      }
    }
    const runs = await interleaved(
      { kafka: withDatabase((db) => consumeAll(db, topics, records)), plain: withDatabase((db) => upsertAll(db, versions)) },
      rounds,
    )
    const { db, drop } = await createDatabase(postgres.url)
    const live = await makeTopics(broker.address, PARTITIONS)
    stopAtEnd({ stop: live.close })
    const delays = await delaysOf(db, live, { seconds: liveSeconds, products })
    await drop()
    const ofLarge = await makeTopics(broker.address, PARTITIONS)
    stopAtEnd({ stop: ofLarge.close })
    for (let n = 0; n < large; n++) await ofLarge.send([largeRecord(n)])
    const largeRun = await withDatabase((own) => consumeAll(own, ofLarge, large))()
    return {
      claims: [...claimsOf(runs, delays, records), largeClaim(largeRun, large)],
      measured: { runs, delays: [at(delays, 0.5), at(delays, 0.99)], largeRun },
    }
  })
}

/** A description of 1 MB, or, every fourth time, a list of 10,000 interactions. */
function largeRecord(n: number): SentRecord {
  if (n % 4 > 0)
    return sentOf(productEvent({ productId: `large-${n}`, description: 'x'.repeat(1_000_000) }, { timestamp: NOON_MS + n }))
  const interactions = Array.from({ length: 10_000 }, (_, place) => ({
    session_id: `session-${place % 900}`,
    event_type: 'view',
    ref_type: 'Product',
    ref_id: `product-${place}`,
  }))
  return { kind: 'interaction', value: { interactions } }
}

function largeClaim({ perSecond, loopP99Ms }: Run, large: number): Claim {
  return {
    what: `— the same for ${large} records with descriptions of 1 MB or lists of 10,000 interactions`,
    measured: loopP99Ms,
    unit: 'ms',
    target: { max: LOOP_MS_MAX },
    detail: `${formatted(perSecond)} records/s; they are judged in a thread`,
  }
}

function eventOf(n: number, products: number): Record<string, unknown> {
  const id = (n * 7_919) % products
  const data = { productId: `product-${id}`, sellerId: `seller-${id % 500}`, name: `Product ${id}`, price: n, quantity: n % 100 }
  return productEvent({ ...data, description: 'A lamp of brass with a shade. '.repeat(5) }, { timestamp: NOON_MS + n })
}

const sentOf = (value: Record<string, unknown>): SentRecord => ({
  kind: 'ProductUpdated',
  value,
  key: (value['data'] as { sellerId: string }).sellerId,
})

function consumer(db: Database, { settings, topics }: TestTopics, onStored: (timesMs: readonly number[]) => void) {
  const stop = new AbortController()
  const nothing = () => undefined
  const judging = createRecordJudge({
    settings: () => ({ nowMs: Date.now(), currency: 'EUR', privacy: { ipAddress: 'keep', userAgent: 'keep' } }),
  })
  const done = runConsumer(
    {
      db,
      brokers: settings,
      groupId: `bench-${performance.now()}`,
      topics,
      judge: judging.judge,
      privacy: { ipAddress: 'keep', userAgent: 'keep' },
      tombstones: createTombstones(undefined),
      fanOut: nothing,
      observer: {
        stored: (records) => onStored(records.map(({ timestampMs }) => timestampMs)),
        failed: (error) => console.error(error),
        setAside: nothing,
        joined: nothing,
        assigned: nothing,
        left: (error) => console.error(error),
        moved: nothing,
      },
    },
    stop.signal,
  )
  return async () => {
    stop.abort()
    await done
    await judging.stop()
  }
}

/** From the first batch to the last: joining the group is left out. */
async function consumeAll(db: Database, topics: TestTopics, records: number): Promise<Run> {
  const all = Promise.withResolvers<void>()
  let [stored, first, firstMs, lastMs] = [0, 0, 0, 0]
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const stop = consumer(db, topics, ({ length }) => {
    if (stored === 0) [first, firstMs] = [length, performance.now()]
    stored += length
    lastMs = performance.now()
    if (stored === records) all.resolve()
  })
  await all.promise
  loop.disable()
  await stop()
  return { perSecond: (records - first) / ((lastMs - firstMs) / 1_000), loopP99Ms: loop.percentile(99) / 1e6 }
}

async function upsertAll(db: Database, versions: readonly Product[]): Promise<Run> {
  const startMs = performance.now()
  for (let place = 0; place < versions.length; place += BATCH) {
    await upsert(db, versions.slice(place, place + BATCH))
  }
  return { perSecond: versions.length / ((performance.now() - startMs) / 1_000), loopP99Ms: 0 }
}

/** How old each record of a live stream was when it was stored, in ms. */
async function delaysOf(db: Database, topics: TestTopics, live: { seconds: number; products: number }): Promise<number[]> {
  const delays: number[] = []
  const stop = consumer(db, topics, (timesMs) => {
    const nowMs = Date.now()
    delays.push(...timesMs.map((timeMs) => nowMs - timeMs))
  })
  // The first records wait until the consumer has joined its group.
  await topics.send([sentOf(eventOf(0, live.products))])
  while (delays.length === 0) await sleep(LIVE_EVERY_MS)
  delays.length = 0
  const startMs = performance.now()
  const total = live.seconds * LIVE_PER_SECOND
  let sent = 0
  while (sent < total) {
    const due = Math.min(total, Math.ceil(((performance.now() - startMs) / 1_000) * LIVE_PER_SECOND))
    const events = Array.from({ length: due - sent }, (_, n) => sentOf(eventOf(sent + n, live.products)))
    if (events.length > 0) await topics.send(events)
    sent = Math.max(sent, due)
    await sleep(LIVE_EVERY_MS)
  }
  while (delays.length < total) await sleep(LIVE_EVERY_MS)
  await stop()
  return delays
}

const at = (delays: readonly number[], share: number) =>
  delays.toSorted((a, b) => a - b)[Math.floor(share * (delays.length - 1))]!

function claimsOf(runs: { kafka: readonly Run[]; plain: readonly Run[] }, delays: readonly number[], records: number): Claim[] {
  const rates = (some: readonly Run[]) => series(some, (run) => run.perSecond)
  const rate = (some: readonly Run[]) => median(rates(some))
  return [
    {
      what: `records per second from Kafka to the catalog, ${formatted(records)} product updates, ${PARTITIONS} partitions`,
      measured: rate(runs.kafka),
      detail: `batches of ${BATCH}, each stored with its offsets and what it adds to the metrics`,
    },
    {
      what: '— ÷ the same upserts without Kafka',
      measured: ratioOf(rates(runs.kafka), rates(runs.plain)),
      target: { min: SHARE_MIN },
      detail: `${formatted(rate(runs.plain))} products/s in calls of ${BATCH}`,
    },
    {
      what: '— the event loop of the consumer: p99 of its delay',
      measured: median(series(runs.kafka, (run) => run.loopP99Ms)),
      unit: 'ms',
      target: { max: LOOP_MS_MAX },
      detail: 'while it reads the backlog at full speed',
    },
    {
      what: `age of a record when it is stored, at ${LIVE_PER_SECOND} records/s: p99`,
      measured: at(delays, 0.99),
      unit: 'ms',
      detail: `p50 ${formatted(at(delays, 0.5))} ms`,
    },
  ]
}
