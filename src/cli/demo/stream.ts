import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Popularity } from '../../contract/popularity.ts'
import type { GatewayClient } from './gateway-client.ts'
import { guidedVisit } from './guided.ts'
import type { Item } from './item.ts'
import { createLiveStream } from './live.ts'
import type { Playing } from './plan.ts'
import { randomOf } from './random.ts'
import { REJECTED_EVERY, rejectedLike } from './rejected.ts'
import { shopOf, sleeperOf } from './shop.ts'
import { chapterAt, rateAt } from './story.ts'

/** After an outage the stream continues at its rate. Events of the outage are skipped, because nothing sent them. */
const CATCH_UP_MS_MAX = 2_000
const SHOW_EVERY_MS = 2_000
const GUIDED_EVERY_MS = 2_000
const STILL_READS_MAX = 40
const STILL_EVERY_MS = 250

/** Sends what happens in the shop from tick to tick, and shows the list. */
export async function streamLive({ plan, client, sending, screen, tally }: Playing): Promise<void> {
  const { seed, rate, ticks, signal } = plan
  let top = await stillTop(client, signal)
  const startRanks = new Map(top.map(({ product_id }, index) => [product_id, index + 1]))
  const shop = shopOf(seed)
  const sleeper = sleeperOf(shop, new Map(top.map(({ product_id, trending_score }) => [product_id, trending_score])))
  const visitor = { random: randomOf(seed, 'guided live'), hasCallbacks: plan.paymentSecret !== undefined }
  const next = createLiveStream(shop, sleeper, visitor.hasCallbacks)
  const rejected = createRejected()
  let [doneMs, owed, showAtMs, guideAtMs] = [0, 0, 0, GUIDED_EVERY_MS]
  for await (const elapsedMs of ticks) {
    if (signal.aborted) break
    const { draw, storyOf } = chapterAt(elapsedMs)
    const perSecond = rateAt(elapsedMs, rate, Date.now())
    owed += (Math.min(elapsedMs - doneMs, CATCH_UP_MS_MAX) * perSecond) / 1_000
    doneMs = elapsedMs
    // With as many visitors as events per second each visitor acts about once a second, and the crowd changes within seconds.
    const crowd = Math.max(1, Math.round(perSecond))
    const idBytesOf = () => randomBytes(10)
    const items: Item[] = []
    for (; owed >= 1; owed--) items.push(...next({ occurredAtMs: Date.now(), draw, crowd, idBytesOf }))
    if (elapsedMs >= guideAtMs) {
      guideAtMs = elapsedMs + GUIDED_EVERY_MS
      items.push(...(await guidedVisit(client, visitor)))
    }
    await sending.send(items)
    await sending.sendInteractions(rejected(items))
    if (elapsedMs < showAtMs) continue
    showAtMs = elapsedMs + SHOW_EVERY_MS
    top = (await client.top()) ?? top
    screen.show({ top, startRanks, sleeperId: sleeper.id, tally, story: storyOf(sleeper.id) })
  }
}

/** Makes one rejected item for every hundred items. */
function createRejected(): (items: readonly Item[]) => Record<string, unknown>[] {
  let [seen, made] = [0, 0]
  return (items) =>
    items.flatMap((each) => {
      seen++
      if (seen / REJECTED_EVERY <= made || each.kind !== 'interaction') return []
      return [rejectedLike(each.item, made++, Date.now())]
    })
}

/** The list once it stops changing, because the history is counted then. It gives up after 10 s: only the arrows and the sleeper depend on it. */
async function stillTop(client: GatewayClient, signal: AbortSignal): Promise<Popularity[]> {
  let top: Popularity[] | undefined
  let countedBefore: string | undefined
  for (let read = 0; read < STILL_READS_MAX && !signal.aborted; read++) {
    top = (await client.top()) ?? top
    const counted = JSON.stringify(top?.map(({ product_id, date_updated }) => [product_id, date_updated]).sort())
    if (top !== undefined && counted === countedBefore) break
    countedBefore = counted
    await sleep(STILL_EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
  return top ?? []
}
