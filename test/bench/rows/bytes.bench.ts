import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { makePartitions } from '../../../src/store/log/month.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { useEventTypeCodes, ingestCoded } from '../rivals/coded-layout.ts'
import { ingestGroup } from '../ingest/ingest-group.ts'
import { chunksOf, dayOfTraffic, type Item } from '../items/events.ts'
import { relationSizes, totalBytes } from '../measure/relation-sizes.ts'
import { printTable } from '../measure/table.ts'
import { RECENT } from '../measure/table-bytes.ts'

const EVENTS = { full: 1_000_000, quick: 100_000 }
const BATCH_EVENTS = 1_000
/** How many batches one count takes along under load: 4 to 10 in the row `ingest`. */
const GROUP_BATCHES = 8
const TARGET = { asWritten: 430, vacuumed: 330 }
/** Smaller parts appear in the total only. */
const SHOWN_BYTES_MIN = 0.5

interface Layout {
  name: string
  prepare: (db: Database, items: readonly Item[]) => Promise<void>
  /** Records the batches, then counts and feeds them as one group. */
  ingest: (db: Database, batches: readonly (readonly Item[])[], name: string) => Promise<void>
}

const LAYOUTS: Layout[] = [
  { name: 'sql/', prepare: async () => undefined, ingest: ingestGroup },
  { name: 'event types as numbers', prepare: prepareCodes, ingest: ingestCoded },
]

/** Makes the month of the first events, because `ingestCoded` makes none, and yesterday may be in the month before. */
async function prepareCodes(db: Database, items: readonly Item[]): Promise<void> {
  await makePartitions(db, [items[0]!.occurred_at.slice(0, 7)])
  await useEventTypeCodes(db)
}

/** Bytes stored per event after a day of traffic, in each layout: as written, and after VACUUM FULL. */
export function bytes(isQuick: boolean): Promise<RowResult> {
  const events = isQuick ? EVENTS.quick : EVENTS.full
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const items = dayOfTraffic(events)
    const measured = []
    for (const layout of LAYOUTS) {
      const { db, drop } = await createDatabase(postgres.url)
      const parts = await fill(db, layout, items)
      await drop()
      measured.push(report(layout.name, parts))
    }
    return { claims: claimsOf(measured, events), measured: { events, layouts: measured } }
  })
}

interface Part {
  table: string
  part: string
  asWritten: number
  vacuumed: number
}

async function fill(db: Database, layout: Layout, items: readonly Item[]): Promise<Part[]> {
  await layout.prepare(db, items)
  const groups = chunksOf(chunksOf(items, BATCH_EVENTS), GROUP_BATCHES)
  for (const [index, group] of groups.entries()) await layout.ingest(db, group, `call ${index}`)
  const written = await relationSizes(db)
  await sql`vacuum full`.execute(db)
  const vacuumed = new Map((await relationSizes(db)).map((size) => [`${size.table} ${size.part}`, size.bytes]))
  return written.map(({ table, part, bytes }) => ({
    table,
    part,
    asWritten: bytes / items.length,
    vacuumed: (vacuumed.get(`${table} ${part}`) ?? 0) / items.length,
  }))
}

function claimsOf([present, rival]: readonly ReturnType<typeof report>[], events: number): Claim[] {
  const claim = (what: string, state: keyof typeof TARGET): Claim => ({
    what: `bytes stored per event, ${what}, without recent events of shoppers`,
    measured: present!.total[state],
    target: { max: TARGET[state] },
    detail: `${events.toLocaleString('en')} events of a day; ${formatted(rival!.total[state])} with event types as numbers`,
  })
  return [claim('as written', 'asWritten'), claim('after VACUUM FULL', 'vacuumed')]
}

function report(name: string, parts: readonly Part[]) {
  const counted = parts.filter(({ table }) => !RECENT.includes(table))
  const total = {
    asWritten: totalBytes(counted.map((part) => part.asWritten)),
    vacuumed: totalBytes(counted.map((part) => part.vacuumed)),
  }
  const shownParts = counted.filter((part) => part.asWritten >= SHOWN_BYTES_MIN)
  printTable(
    [`bytes per event: ${name}`, 'part', 'as written', 'after VACUUM FULL'],
    [
      ...shownParts.map(({ table, part, asWritten, vacuumed }) => [table, part, asWritten, vacuumed]),
      ['total', '', total.asWritten, total.vacuumed],
      ['target', '', TARGET.asWritten, TARGET.vacuumed],
    ],
  )
  return { name, total, target: TARGET, parts }
}
