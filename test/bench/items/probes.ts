import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { callOf } from '../../../src/store/log/call.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { countBatch } from '../../../src/store/popularity/counting.ts'
import { feedBatch } from '../../../src/store/shoppers/shopper-profile.ts'
import { rowOf } from './events.ts'
import { recordBatch } from '../../harness/items/events.ts'

/** Probes and marks alternate above all other products. A probe's purchases rise; a mark's score never changes. */
const PROBES = 21
const TOP_MICROS = 1e15
const STEP_MICROS = 1e12
const PAUSE_MS = 20

/** Stores probes and marks. Every page begins with a probe (the first page, and the page after each mark), which shows its age. */
export async function storeProbes(db: Database): Promise<void> {
  await sql`
    insert into product_popularity (product_id, score_micros, trending, view_count, purchase_count, favorite_count, cart_count,
      review_count, search_click_count, last_interaction, date_updated)
    select case place % 2 when 0 then 'probe-' else 'mark-' end || place / 2, ${TOP_MICROS}::bigint - place * ${STEP_MICROS}::bigint,
      0, 0, 0, 0, 0, 0, 0, now(), now()
    from generate_series(0, ${2 * PROBES - 1}::int) place`.execute(db)
}

/** The limits with which the first page ends with a mark, so that its cursor leads to the next probe. */
export const PAGES_THAT_END_WITH_A_MARK = Array.from({ length: PROBES - 1 }, (_, mark) => 2 * (mark + 1))

export interface RisingProbes {
  /** When each purchase was committed at the latest, by the machine's clock; the first purchase is at index 1. */
  committedAtMs: number[]
  /** @throws when a purchase failed. */
  stop: () => Promise<void>
}

/** Buys every probe again and again. */
export function startRisingProbes(db: Database): RisingProbes {
  const committedAtMs = [clockMs()]
  let isOver = false
  const rising = (async () => {
    for (; !isOver; await sleep(PAUSE_MS)) {
      await buyEveryProbe(db)
      committedAtMs.push(clockMs())
    }
  })()
  rising.catch(() => undefined)
  const stop = () => {
    isOver = true
    return rising
  }
  return { committedAtMs, stop }
}

/** Events per purchase of all probes. */
export const RISING_EVENTS = PROBES

async function buyEveryProbe(db: Database): Promise<void> {
  const occurred_at = new Date().toISOString()
  const rows = Array.from({ length: PROBES }, (_, probe) =>
    rowOf(
      {
        event_id: randomUUID(),
        occurred_at,
        account_id: 'buyer',
        event_type: 'purchase',
        ref_type: 'Product',
        ref_id: `probe-${probe}`,
      },
      probe,
    ),
  )
  const batch = await recordBatch(db, callOf(randomUUID(), Buffer.from('')), rows, [])
  await Promise.all([countBatch(db, batch), feedBatch(db, batch)])
}

/**
 * The age of each answer at its request: the time since the commit of the first purchase that is missing in it; 0 if none is missing.
 * An answer is at least that old when it is sent.
 */
export function agesOf(
  sightings: readonly (readonly [askedAtMs: number, purchases: number])[],
  committedAtMs: readonly number[],
) {
  return sightings.map(([askedAtMs, purchases]) => Math.max(0, askedAtMs - (committedAtMs[purchases + 1] ?? Infinity)))
}

/** The clock that all processes of this machine share. */
function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
