import type { Database } from '../../../src/store/database/connection.ts'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { ingestGroup } from '../ingest/ingest-group.ts'
import { type Item, traffic } from '../items/events.ts'
import { formatted, type RowResult } from '../measure/claim.ts'
import {
  bloatClaims,
  bytesOfRecent,
  rewriteChanged,
  bytesWithoutRecent,
  partsOf,
  tableBytes,
  type TableBytes,
} from '../measure/table-bytes.ts'
import { startBenchPostgres, VACUUM_OF_START } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'

/** Events of each month of 30 days. */
const EVENTS = { full: 5_000_000, quick: 80_000 }
const MONTH_DAYS = 30
const BATCH_EVENTS = 1_000
const GROUP_BATCHES = 8

/**
 * What PostgreSQL keeps per event of a month, and how large changed tables are after two. Both months are written as fast as possible, so that autovacuum
 * runs far less often per event than in a shop.
 */
export function bytesOfMonths(isQuick: boolean): Promise<RowResult> {
  const events = isQuick ? EVENTS.quick : EVENTS.full
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres(VACUUM_OF_START))
    const { db, drop } = await createDatabase(postgres.url)
    const fill = monthsOfTraffic(db, events)
    await fill()
    const month = await tableBytes(db, events)
    await fill()
    const months = await tableBytes(db, 2 * events)
    const renewed = await rewriteChanged(db, 2 * events)
    await drop()
    return {
      claims: claimsOf(events, { month, months, renewed }),
      measured: {
        events,
        month: Object.fromEntries(month),
        months: Object.fromEntries(months),
        renewed: Object.fromEntries(renewed),
      },
    }
  })
}

/** @returns what records, counts and feeds the next month. */
function monthsOfTraffic(db: Database, events: number): () => Promise<void> {
  const next = traffic()
  const stepMs = (MONTH_DAYS * DAY_MS) / events
  const startMs = Date.now() - 2 * MONTH_DAYS * DAY_MS
  let made = 0
  const batch = (): Item[] => Array.from({ length: BATCH_EVENTS }, () => next(Math.floor(startMs + made++ * stepMs)))
  return async () => {
    for (const end = made + events; made < end;) {
      const groupStart = made
      await ingestGroup(db, Array.from({ length: GROUP_BATCHES }, batch), `call ${groupStart}`)
    }
  }
}

interface Kept {
  month: TableBytes
  months: TableBytes
  renewed: TableBytes
}

function claimsOf(events: number, { month, months, renewed }: Kept) {
  const [ofMonth, ofMonths] = [events, 2 * events].map((count) => count.toLocaleString('en'))
  return [
    {
      what: `bytes stored per event after a month of ${MONTH_DAYS} days, as written, without recent events of shoppers`,
      ...{ measured: bytesWithoutRecent(month), target: { max: 430 } },
      detail: `${ofMonth} events: ${partsOf(month)}; ${formatted(bytesWithoutRecent(months))} after ${ofMonths} of ${2 * MONTH_DAYS} days`,
    },
    {
      what: '— of recent events of shoppers',
      measured: bytesOfRecent(month),
      detail: `with their key; ${formatted(bytesOfRecent(months))} after ${ofMonths}`,
    },
    ...bloatClaims(months, renewed).map((claim) => ({
      ...claim,
      detail: `${claim.detail}, after ${ofMonths} events of ${2 * MONTH_DAYS} days, written as fast as possible`,
    })),
  ]
}
