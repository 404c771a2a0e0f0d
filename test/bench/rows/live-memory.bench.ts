import { randomUUID } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createClient } from '@redis/client'
import type { LiveEvents } from '../../../src/external/live-events.ts'
import { createProcessEvents } from '../../../src/external/process-events.ts'
import { createRedisEvents } from '../../../src/external/redis-events.ts'
import type { ShopperEvent } from '../../../src/ranking/shopper-event.ts'
import { NO_REDIS, startTestRedis } from '../../harness/servers/redis.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { waitUntil } from '../measure/settled.ts'

const FULL = { shoppers: 100_000, redisShoppers: 10_000 }
const QUICK = { shoppers: 5_000, redisShoppers: 500 }
const OF_SHOPPERS = 100_000
const MEGABYTE = 1_000_000
/** Events of a shopper: a glance, and a long visit. */
const EVENTS = [5, 20]
const IDLE_MS = 15 * 60_000

/** What 100,000 live contexts take, in the process and in Redis. */
export async function liveMemory(isQuick: boolean): Promise<RowResult> {
  const { shoppers, redisShoppers } = isQuick ? QUICK : FULL
  const claims: Claim[] = []
  for (const events of EVENTS) claims.push(await inProcess(shoppers, events))
  if (NO_REDIS === undefined) for (const events of EVENTS) claims.push(await inRedis(redisShoppers, events))
  return { claims, measured: claims }
}

async function inProcess(shoppers: number, events: number): Promise<Claim> {
  const before = heapBytes()
  const live = createProcessEvents({ shoppersMax: shoppers, bytesMax: Number.MAX_SAFE_INTEGER, idleMs: IDLE_MS })
  await fill(live, shoppers, events)
  const bytes = heapBytes() - before
  const estimated = live.size().bytes
  return claimOf('the process', { shoppers, events, bytes }, `estimated ${megabytes(estimated, shoppers)} MB by what bounds it`)
}

async function inRedis(shoppers: number, events: number): Promise<Claim> {
  const redis = await startTestRedis()
  const client = createClient({ url: redis.url })
  const live = createRedisEvents({ url: redis.url, idleMs: IDLE_MS, itemsMax: 20, onFailed: () => undefined, deadlineMs: 5_000 })
  const usedBytes = async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1])
  try {
    await client.connect()
    await waitUntil(async () => (await live.read([])) !== undefined)
    const before = await usedBytes()
    await fill(live, shoppers, events)
    return claimOf('Redis', { shoppers, events, bytes: (await usedBytes()) - before }, `of ${formatted(shoppers)} contexts`)
  } finally {
    client.destroy()
    await live.stop()
    await redis.stop()
  }
}

async function fill(live: LiveEvents, shoppers: number, events: number): Promise<void> {
  for (let shopper = 0; shopper < shoppers; shopper++) {
    for (let place = 0; place < events; place++) await live.keep(`account:u${shopper}`, eventOf(shopper, place))
  }
}

/** Its texts are of a request, so no two events share them; category and brand are of the catalog, which they share. */
function eventOf(shopper: number, place: number): ShopperEvent {
  const [eventId, productId] = JSON.parse(JSON.stringify([randomUUID(), `p${(shopper * 31 + place) % 50_000}`])) as [
    string,
    string,
  ]
  return { eventId, occurredAtMs: Date.now(), productId, eventType: 'view', category: 'lighting', brand: 'Lumen' }
}

function claimOf(
  where: string,
  { shoppers, events, bytes }: { shoppers: number; events: number; bytes: number },
  detail: string,
): Claim {
  return {
    what: `memory of ${formatted(OF_SHOPPERS)} live contexts of ${events} events in ${where}`,
    measured: Number(megabytes(bytes, shoppers)),
    unit: 'MB',
    detail,
  }
}

function megabytes(bytes: number, shoppers: number): string {
  return ((bytes / shoppers) * (OF_SHOPPERS / MEGABYTE)).toFixed(1)
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
