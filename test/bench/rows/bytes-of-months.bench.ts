import type { Database } from '../../../src/store/database/connection.ts'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { ingestGroup } from '../ingest/ingest-group.ts'
import { type Item, traffic } from '../items/events.ts'
import { formatted, type RowResult } from '../measure/claim.ts'
import {
  bloatClaims,
  bytesApart,
  bytesOfNewTables,
  bytesOfOthers,
  CHANGED,
  tableBytes,
  type TableBytes,
} from '../measure/table-bytes.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'

/** Events of each month of 30 days. */
const EVENTS = { full: 5_000_000, quick: 80_000 }
const MONTH_DAYS = 30
const BATCH_EVENTS = 1_000
const GROUP_BATCHES = 8
/** As `npm start` has it: it decides how large tables become that change. */
const VACUUM = { autovacuum_naptime: '5s' }

/** What PostgreSQL keeps of the events of a month, and how large tables that change are after two. */
export function bytesOfMonths(isQuick: boolean): Promise<RowResult> {
  const events = isQuick ? EVENTS.quick : EVENTS.full
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres(VACUUM))
    const { db, drop } = await createDatabase(postgres.url)
    const fill = monthsOfTraffic(db, events)
    await fill()
    const month = await tableBytes(db, events)
    await fill()
    const months = await tableBytes(db, 2 * events)
    const renewed = await bytesOfNewTables(db, 2 * events)
    await drop()
    return {
      claims: claimsOf(events, { month, months, renewed }),
      measured: { month: Object.fromEntries(month), months: Object.fromEntries(months) },
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
  const parts = ['interaction', ...CHANGED].map((table) => `${table} ${formatted(month.get(table)!)}`)
  const [ofMonth, ofMonths] = [events, 2 * events].map((count) => count.toLocaleString('en'))
  return [
    {
      what: `bytes stored per event of ${MONTH_DAYS} days, as written, without recent events of shoppers`,
      ...{ measured: bytesOfOthers(month), target: { max: 430 } },
      detail: `${ofMonth} events: ${parts.join(', ')}; ${formatted(bytesOfOthers(months))} after ${ofMonths} of ${2 * MONTH_DAYS} days`,
    },
    {
      what: '— of recent events of shoppers',
      measured: bytesApart(month),
      detail: `with their key; ${formatted(bytesApart(months))} after ${ofMonths}`,
    },
    ...bloatClaims(months, renewed).map((claim) => ({
      ...claim,
      detail: `${claim.detail}, after ${ofMonths} events of ${2 * MONTH_DAYS} days`,
    })),
  ]
}
