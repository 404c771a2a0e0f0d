import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import type { ArchiveFormat } from '../../../services/archive/part-format.ts'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import { restoredTable } from '../../../src/store/archive/restored-month.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { makePartitions, type Month, monthOf } from '../../../src/store/log/month.ts'
import { V8_FLAGS } from '../../../src/main/embedded/v8-flags.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { partitionOf } from '../../harness/items/months.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import type { ArchiveMeasurement } from '../servers/archive-process.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

/** The endpoint archives, and a command restores. */
const FLAGS = { archive: V8_FLAGS.endpoint, restore: [] }
/** The bound of memory is that of the default. */
const FORMS: { format: ArchiveFormat; name: string; megabytesMax?: number }[] = [
  { format: 'jsonl.gz', name: 'lines of JSON', megabytesMax: 300 },
  { format: 'parquet', name: 'Parquet' },
]
/** Lines of the table for each form. */
const FORM_CLAIMS = 6
const FULL = 1_000_000
const QUICK = 20_000
const HELD_MS_MAX = 20
const BATCH_EVENTS = 1_000
const OUTPUT_BYTES_MAX = 1_000_000

/** Archiving and restoring a month of interactions in processes of their own, with a folder for each form. */
export function archive(isQuick: boolean): Promise<RowResult> {
  const events = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db, url, drop } = await createDatabase(postgres.url)
    stopAtEnd({ stop: drop })
    const folder = await mkdtemp(join(tmpdir(), 'footfall-bench-archive-'))
    stopAtEnd({ stop: () => rm(folder, { recursive: true, force: true }) })
    const month = monthOf(Date.now() - 100 * DAY_MS)
    await fill(db, month, events)
    const claims: Claim[] = []
    const measured: Record<string, ArchiveMeasurement> = {}
    for (const { format, name, ...bounds } of FORMS) {
      for (const work of ['archive', 'restore'] as const) {
        const one = await measure(work, url, join(folder, format), month, format)
        claims.push(...claimsOf(`${work} ${formatted(events)} interactions as ${name}`, one, bounds))
        measured[`${work} ${format}`] = one
      }
      await sql`drop table ${sql.table(restoredTable('interaction', month))}`.execute(db)
    }
    claims.splice(FORM_CLAIMS, 0, await keysClaim(db))
    return { claims, measured }
  })
}

/** The rows of `archive_shopper`, which stay in the database. */
async function keysClaim(db: Database): Promise<Claim> {
  const { rows } = await sql<{ shoppers: number; bytes: number }>`
    select count(*)::int as shoppers, pg_total_relation_size('archive_shopper')::float8 as bytes from archive_shopper`.execute(db)
  const { shoppers, bytes } = rows[0]!
  return {
    what: '— a key in the database',
    measured: bytes / shoppers,
    unit: 'bytes',
    detail: `${formatted(shoppers)} shoppers, with the indexes`,
  }
}

/** A third of the events is of sessions alone, and a tenth has metadata. */
async function fill(db: Database, month: Month, events: number): Promise<void> {
  await makePartitions(db, [month])
  await withoutTimeout(db, async (unlimited) => {
    await sql`
      insert into log_month.${sql.table(partitionOf('interaction', month))}
        (occurred_at, batch_id, event_id, is_category, event_type, ref_id, account_id, session_id, metadata)
      select date_trunc('milliseconds', ${`${month}-01`}::timestamptz + n * (interval '27 days' / ${events}::int)), 1 + n / ${BATCH_EVENTS}::int,
        gen_random_uuid(), false, (array['view', 'view', 'view', 'cart', 'purchase'])[1 + n % 5], 'p-' || 1 + floor(50000 * random() ^ 3)::int,
        case when random() < 0.7 then 'u-' || 1 + floor(random() * 100000)::int end, 's-' || floor(random() * 1e12)::bigint / 5,
        case when n % 10 = 0 then jsonb_build_object('page', '/search?q=' || n, 'position', n % 40) end
      from generate_series(0, ${events - 1}::int) n`.execute(unlimited)
    await sql`vacuum (analyze)`.execute(unlimited)
  })
}

async function measure(
  work: keyof typeof FLAGS,
  url: string,
  folder: string,
  month: Month,
  format: ArchiveFormat,
): Promise<ArchiveMeasurement> {
  const program = join(import.meta.dirname, '..', 'servers', 'archive-process.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS[work], program, work, url, folder, month, format], {
    maxBuffer: OUTPUT_BYTES_MAX,
  })
  return JSON.parse(stdout) as ArchiveMeasurement
}

function claimsOf(
  what: string,
  { seconds, cpuSeconds, megabytesMax, heldMs, rows, bytes }: ArchiveMeasurement,
  bounds: { megabytesMax?: number },
): Claim[] {
  return [
    {
      what,
      measured: seconds,
      unit: 's',
      detail: `${formatted(bytes / rows)} bytes for each event, ${formatted(bytes / 1e6)} MB; ${formatted(cpuSeconds)} s of CPU besides PostgreSQL's`,
    },
    {
      what: '— memory of the process, the maximum',
      measured: megabytesMax,
      unit: 'MB',
      ...(bounds.megabytesMax !== undefined && { target: { max: bounds.megabytesMax } }),
      detail: '',
    },
    {
      what: '— how long its event loop was held, p99',
      measured: heldMs.p99,
      unit: 'ms',
      target: { max: HELD_MS_MAX },
      detail: `the longest ${formatted(heldMs.max)} ms`,
    },
  ]
}
