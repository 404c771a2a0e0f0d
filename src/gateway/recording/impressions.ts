import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Impression, IMPRESSIONS_MAX } from '../../contract/impression.ts'
import { IMPRESSION_RECORDER } from '../../contract/recorder.ts'
import { recorderApi } from '../../contract/services.ts'
import type { Ingress } from '../../ingress/clients.ts'
import { bodyOfItems, recordedOrPaced } from '../../ingress/recorder.ts'
import { isRefusedCall } from '../../ingress/refusal.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { FLUSH_BYTES_MAX } from './flush.ts'
import type { RecorderRoom } from './recorder-room.ts'

/** Impressions of 20 products have some 500 bytes, so that some 16,000 may wait. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024
/** A call gathers the impressions of so long, because it costs the same with one as with hundreds. */
const GATHER_MS = 200
const AGAIN_MS = 1_000
const STOP_MS_MAX = 3_000

/** The impressions of this gateway's answers. */
export interface Impressions {
  /** Keeps an impression until Restate has it. Never waits or throws: an impression that finds no room is counted as lost. */
  note: (impression: Impression) => void
  /** How many wait. */
  length: () => number
  /** Hands over what waits, for 3 s at most. What is left is lost. */
  stop: () => Promise<void>
}

export interface ImpressionOptions {
  ingress: Pick<Ingress, 'sendWithJson'>
  room: Pick<RecorderRoom, 'take'>
  /** Whether impressions are recorded at all. */
  isOn: boolean
  bytesMax?: number
  observer: Pick<GatewayObserver, 'impressions'>
}

/** A call that Restate may have already, so that it is sent again as the same one. */
interface Batch {
  items: readonly string[]
  idempotencyKey: string
}

/**
 * Gathers impressions and hands them to their recorder in Restate, one call at a time. A call that fails is sent again, as the same call, for as
 * long as Restate or its recorder's inbox takes nothing; until then impressions wait here, in bounded memory.
 */
export function createImpressions(options: ImpressionOptions): Impressions {
  const { isOn, observer, bytesMax = WAITING_BYTES_MAX } = options
  const stopping = new AbortController()
  let waiting: string[] = []
  let bytes = 0
  let running: Promise<void> | undefined

  const lose = (count: number) => observer.impressions('lost', count)

  const take = (): Batch => {
    const items = firstOf(waiting)
    waiting = waiting.slice(items.length)
    return { items, idempotencyKey: randomUUID() }
  }

  const run = async () => {
    while (waiting.length > 0) {
      if (!stopping.signal.aborted) await pause(GATHER_MS, stopping.signal)
      const batch = take()
      await handOver(batch, options, stopping.signal)
        .then(() => observer.impressions('handed_over', batch.items.length))
        .catch(() => lose(batch.items.length))
      bytes -= bytesOf(batch.items)
    }
    running = undefined
  }

  return {
    length: () => waiting.length,
    note: (impression) => {
      if (!isOn) return
      observer.impressions('made', 1)
      const item = JSON.stringify(impression)
      if (bytes + item.length > bytesMax) return lose(1)
      waiting.push(item)
      bytes += item.length
      running ??= run()
    },
    stop: async () => {
      stopping.abort()
      if (running !== undefined) await Promise.race([running, sleep(STOP_MS_MAX, undefined, { ref: false })])
    },
  }
}

/** @throws when Restate refuses the call for good, or when it fails while the gateway stops. */
async function handOver({ items, idempotencyKey }: Batch, { ingress, room }: ImpressionOptions, stopping: AbortSignal) {
  const body = bodyOfItems(items, 'impressions')
  for (;;) {
    try {
      const place = await room.take(IMPRESSION_RECORDER, body.length)
      try {
        const { invocationId } = await ingress.sendWithJson(recorderApi, 'RecordImpressions', body, {
          key: IMPRESSION_RECORDER,
          idempotencyKey,
        })
        await recordedOrPaced(place.sent(invocationId))
        return
      } catch (error) {
        place.giveBack()
        throw error
      }
    } catch (error) {
      if (isRefusedCall(error) || stopping.aborted) throw error
      await pause(AGAIN_MS, stopping)
    }
  }
}

/** The first items that fit into a call, and always one. */
function firstOf(items: readonly string[]): readonly string[] {
  let bytes = 0
  const end = items.findIndex(
    (item, index) => index > 0 && (index === IMPRESSIONS_MAX || (bytes += item.length) > FLUSH_BYTES_MAX),
  )
  return end < 0 ? items : items.slice(0, end)
}

function bytesOf(items: readonly string[]): number {
  return items.reduce((sum, item) => sum + item.length, 0)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
