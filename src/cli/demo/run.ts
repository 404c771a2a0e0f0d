import { setTimeout as sleep } from 'node:timers/promises'
import type { CreateAlertRequest } from '../../contract/alert.ts'
import { CATALOG_PRODUCTS } from './catalog.ts'
import { assertGateway, createGatewayClient, type GatewayClient } from './gateway-client.ts'
import { guidedVisit } from './guided.ts'
import { historyOf } from './history.ts'
import type { Item } from './item.ts'
import { operationsOf } from './operations.ts'
import type { DemoPlan, Playing } from './plan.ts'
import { randomOf } from './random.ts'
import { REJECTED_EVERY, rejectedLike } from './rejected.ts'
import type { Screen } from './screen.ts'
import { createSending } from './sending.ts'
import { shopOf } from './shop.ts'
import { streamLive } from './stream.ts'
import { type Tally, tallyText } from './table.ts'

/** It is off, and its address is reserved for examples. */
const LOW_STOCK: CreateAlertRequest = {
  name: 'Stock runs low',
  kind: 'low_stock',
  below: 5,
  url: 'https://hooks.example.com/stock',
}
/** Shoppers who are shown recommendations before the live stream. */
const GUIDED = 90
const GUIDED_AT_ONCE = 15
/** A run that is open already, and another. */
const ASKED_MAX = 3
const SIMILAR_READS_MAX = 60
const SIMILAR_EVERY_MS = 250

/** Sends the catalog, the history, then the live stream, and shows the top list. @throws StartError when it cannot continue. */
export async function runDemo(plan: DemoPlan, screen: Screen): Promise<Tally> {
  const client = createGatewayClient({ ...plan, print: screen.print })
  const tally: Tally = { sent: 0, accepted: 0, duplicates: 0, rejected: 0 }
  const playing = { plan, client, screen, tally, sending: createSending(client, tally, plan.signal) }
  await assertGateway(plan.gatewayUrl)
  await sendCatalog(playing)
  if (plan.days > 0) await sendHistory(playing)
  await streamLive(playing)
  return tally
}

/** Yields the milliseconds since the start every `everyMs`, until `endMs` or the signal. */
export async function* clockTicks(everyMs: number, endMs: number, signal: AbortSignal): AsyncGenerator<number> {
  const startedAt = performance.now()
  const elapsedMs = () => performance.now() - startedAt
  for (; !signal.aborted && elapsedMs() < endMs; await sleep(everyMs, undefined, { signal }).catch(() => undefined)) {
    yield elapsedMs()
  }
}

/** A failure does not end the demo, because a key may record and read and still have no right to change the catalog. */
async function sendCatalog({ client, screen }: Playing): Promise<void> {
  const failed = await client.sell(CATALOG_PRODUCTS)
  screen.print(failed === undefined ? `Catalog: ${CATALOG_PRODUCTS.length} products.` : `Catalog: not sent. ${failed.problem}`)
  const unwatched = await client.watch(LOW_STOCK)
  if (unwatched !== undefined) screen.print(`Alert: not made. ${unwatched.problem}`)
}

async function sendHistory(playing: Playing): Promise<void> {
  const { plan, sending, screen, tally } = playing
  const { seed, days, nowMs } = plan
  const hasCallbacks = plan.paymentSecret !== undefined
  const items = historyOf(shopOf(seed), { ...plan, hasCallbacks })
  const operations = operationsOf(seed, plan)
  const total = items.length + operations.length
  screen.print(`History: ${total.toLocaleString('en')} events of the last ${days === 1 ? 'day' : `${days} days`}.`)
  await Promise.all([sending.send(items), sending.sendOperations(operations)])
  await sendRejected(playing, items, nowMs)
  screen.print(`History: ${tallyText(tally)}.`)
  await guideShoppers(playing)
}

/** One rejected item for every hundred that are new, so that a history that is sent again adds none. */
async function sendRejected({ sending, tally }: Playing, items: readonly Item[], nowMs: number): Promise<void> {
  const interactions = items.flatMap((each) => (each.kind === 'interaction' ? [each.item] : []))
  const newest = interactions.slice(-Math.floor(tally.accepted / REJECTED_EVERY) || interactions.length)
  await sending.sendInteractions(newest.map((event, number) => rejectedLike(event, number, nowMs)))
}

/** Shows recommendations to shoppers: to some before there are similar products, and to the others afterwards. */
async function guideShoppers(playing: Playing): Promise<void> {
  const { client, plan, screen, sending } = playing
  const visitor = { random: randomOf(plan.seed, `guided ${plan.nowMs}`), hasCallbacks: plan.paymentSecret !== undefined }
  const guide = async (shoppers: number) => {
    for (let shown = 0; shown < shoppers && !plan.signal.aborted; shown += GUIDED_AT_ONCE) {
      const visits = await Promise.all(Array.from({ length: GUIDED_AT_ONCE }, () => guidedVisit(client, visitor)))
      await sending.send(visits.flat())
    }
  }
  await guide(GUIDED / 3)
  const problem = await computeSimilar(playing)
  if (problem !== undefined) screen.print(`Similar products: not computed. ${problem}`)
  await guide(GUIDED)
}

/** Waits for similar products of the whole history. @returns why there are none. */
async function computeSimilar({ client, plan }: Playing): Promise<string | undefined> {
  for (let asked = 0; asked < ASKED_MAX; asked++) {
    const started = await client.computeSimilar()
    if ('problem' in started) return started.problem
    const problem = await endOf(started.run.id, client, plan.signal)
    // A run that was open already began before the end of the history.
    if (problem !== undefined || !started.isOpenAlready) return problem
  }
  return 'Other runs come first.'
}

/** Waits for the end of a run. @returns why it did not complete. */
async function endOf(id: string, client: GatewayClient, signal: AbortSignal): Promise<string | undefined> {
  for (let read = 0; read < SIMILAR_READS_MAX && !signal.aborted; read++) {
    const run = await client.similarRun(id)
    if (run?.status === 'completed') return undefined
    if (run?.status === 'failed' || run?.status === 'cancelled') return `The run ${id} ${run.status}.`
    await sleep(SIMILAR_EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
  return `The run ${id} goes on.`
}
