import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { type Month, makePartitions, monthOf } from '../../../src/store/log/month.ts'
import { dropOldMonths } from '../../../src/store/log/retention.ts'
import { createDatabase, type TestDatabase } from '../../harness/servers/database.ts'
import { type DuringIngest, workDuringIngest, logLockWaits } from '../ingest/during-ingest.ts'
import { type BenchStack, withStack } from '../servers/bench-stack.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import { interleaved, median } from '../measure/rounds.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { partitionOf } from '../../harness/items/months.ts'

const FULL = { events: 10_000_000, seconds: 6, rounds: 2 }
const QUICK = { events: 20_000, seconds: 1, rounds: 1 }
const RETENTION_DAYS = 32
const BATCH_EVENTS = 1_000
const WORK_SECONDS_MAX = 2
const WAIT_MS_MAX = 50

/** The cost of dropping a month of the log, and its effect on concurrent ingest. */
export function retention(isQuick: boolean): Promise<RowResult> {
  const { events, seconds, rounds } = isQuick ? QUICK : FULL
  return withStack(async (stack) => {
    // Too old to be kept, on every day of a month.
    const month = monthOf(Date.now() - (RETENTION_DAYS + 62) * DAY_MS)
    const filled = await filledDatabase(stack, month, events)
    const way = (isDropped: boolean) => async () => {
      const copy = await createDatabase(stack.postgres.url, filled)
      await logLockWaits(copy.db)
      const run = await workDuringIngest(stack, copy, seconds, isDropped ? dropMonth : undefined)
      await copy.drop()
      return run
    }
    const runs = await interleaved({ alone: way(false), dropping: way(true) }, rounds)
    return { claims: claimsOfRounds(runs, (rounds) => claimsOf(rounds, events)), measured: runs }
  })
}

async function dropMonth(background: Database): Promise<{ isOver: boolean }> {
  const { dropped, waiting } = await dropOldMonths(background, RETENTION_DAYS)
  if (dropped.length === 0 || waiting.length > 0) throw new Error(`the month was not dropped: ${JSON.stringify({ waiting })}`)
  return { isOver: true }
}

/** Fills a database with a month of events that are marked as counted and fed. It has no connections, so that it can be copied. */
async function filledDatabase({ postgres }: BenchStack, month: Month, events: number): Promise<TestDatabase> {
  const database = await createDatabase(postgres.url)
  await makePartitions(database.db, [month])
  await withoutTimeout(database.db, async (unlimited) => {
    await sql`
      insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, scored_at, fed_at)
      select ${`${month}-01`}::timestamptz, ${`${month}-28`}::timestamptz, ${BATCH_EVENTS}::int, 'fill ' || n, sha256(n::text::bytea), now(), now()
      from generate_series(1, ${events / BATCH_EVENTS}::int) n`.execute(unlimited)
    await sql`
      insert into log_month.${sql.table(partitionOf('interaction', month))} (occurred_at, batch_id, event_id, is_category, event_type, ref_id, account_id)
      select ${`${month}-01`}::timestamptz + n * (interval '28 days' / ${events}::int), 1 + n / ${BATCH_EVENTS}::int, gen_random_uuid(), false, 'view',
        'p-' || 1 + floor(random() * 50000)::int, 'u-' || 1 + floor(random() * 100000)::int
      from generate_series(0, ${events - 1}::int) n`.execute(unlimited)
    await sql`vacuum (analyze)`.execute(unlimited)
  })
  await database.db.destroy()
  return database
}

function claimsOf({ alone, dropping }: Record<'alone' | 'dropping', DuringIngest[]>, events: number): Claim[] {
  const longest = (runs: readonly DuringIngest[]) => formatted(Math.max(...runs.map((run) => run.longestAnswerMs)))
  const workMs = dropping.flatMap((run) => run.times.map((time) => time.workMs))
  return [
    {
      what: `dropping a month of ${formatted(events)} interactions, during ingest: the longest`,
      measured: Math.max(...workMs) / 1_000,
      unit: 's',
      target: { max: WORK_SECONDS_MAX },
      detail: `${workMs.length} months, the median ${formatted(median(workMs) / 1_000)} s`,
    },
    {
      what: '— the longest wait of recording or counting for it',
      measured: Math.max(...dropping.map((run) => run.longestWaitMs)),
      unit: 'ms',
      target: { max: WAIT_MS_MAX },
      detail: `the longest answer ${longest(dropping)} ms, with nothing dropped ${longest(alone)} ms`,
    },
  ]
}
