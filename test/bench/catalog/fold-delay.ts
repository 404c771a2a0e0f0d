import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { TASKS } from '../../../services/tasks/all.ts'
import type { ProductVersion } from '../../../src/admission/product.ts'
import { scheduleApi } from '../../../src/contract/services.ts'
import { upsertProducts } from '../../../src/store/catalog/catalog-product.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { callOf } from '../../../src/store/log/call.ts'
import { waitUntil } from '../measure/settled.ts'
import type { BenchRestate } from '../servers/bench-restate.ts'
import { POOL_CONNECTIONS } from '../servers/bench-stack.ts'

const EVERY_MS = 20
const POLL_MS = 10
const NAMES = ['fold-metrics', 'record-metrics'] as const

interface Stream {
  seconds: number
  perSecond: number
  /** The changes of a batch. */
  changesOf: (count: number) => ProductVersion[]
}

/**
 * Changes products at a steady rate while an endpoint folds by its schedule. Each batch has a product of a new seller.
 * @returns for each of them, the milliseconds from its commit to the row of its seller in product_metric.
 */
export async function foldDelays(
  { db, url, restate }: { db: Database; url: string; restate: BenchRestate },
  { seconds, perSecond, changesOf }: Stream,
): Promise<number[]> {
  const endpoint = await restate.serve('footfall', POOL_CONNECTIONS)
  await endpoint.use(url)
  const schedule = (name: string) => clients.connect({ url: restate.ingressUrl }).client(scheduleApi, name)
  for (const name of NAMES) await schedule(name).Start({ every_ms: TASKS[name].everyMs })
  const delays: number[] = []
  const waiting = new Map<string, number>()
  const look = async () => {
    if (waiting.size === 0) return
    const { rows } = await sql<{ key: string }>`
      select key from product_metric where key = any(${[...waiting.keys()]}::text[])`.execute(db)
    for (const { key } of rows) {
      delays.push(performance.now() - waiting.get(key)!)
      waiting.delete(key)
    }
  }
  let isOver = false
  const looking = (async () => {
    for (; !isOver; await sleep(POLL_MS)) await look()
  })()
  const startMs = performance.now()
  let sent = 0
  while (performance.now() - startMs < seconds * 1_000) {
    const due = Math.floor(((performance.now() - startMs) / 1_000) * perSecond) - sent
    if (due > 0) {
      const seller = randomUUID()
      const [first, ...rest] = changesOf(due)
      await upsertProducts(db, callOf(randomUUID(), Buffer.from('')), [{ ...first!, sellerId: seller }, ...rest])
      waiting.set(`SELLER#${seller}`, performance.now())
      sent += due
    }
    await sleep(EVERY_MS)
  }
  await waitUntil(async () => waiting.size === 0)
  isOver = true
  await looking
  for (const name of NAMES) await schedule(name).Stop({})
  await endpoint.use(null)
  return delays
}
