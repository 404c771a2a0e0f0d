import { sql } from 'kysely'
import { callOf } from '../../../src/store/log/call.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import type { BatchRef } from '../../../src/store/log/batch.ts'
import { feedBatch } from '../../../src/store/shoppers/shopper-profile.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { recordBatch } from '../../harness/items/events.ts'
import { feedWithoutRecent } from '../../harness/items/feed-without-recent.ts'
import { chunksOf, dayOfTraffic, rowOf } from '../items/events.ts'
import { formatted, type RowResult } from '../measure/claim.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'

const FULL = { events: 200_000, rounds: 5 }
const QUICK = { events: 10_000, rounds: 1 }
const WARM_UP_SHARE = 0.1
/** A flush of the gateway at a moderate load, and of a shop at its limit. */
const BATCH_EVENTS = { moderate: 30, full: 1_000 }
const COST_MAX = 1.25

type Feed = (db: Database, batch: BatchRef) => Promise<unknown>

/** What feeding the recent events of shoppers adds to feeding the profiles alone: the processor's time of PostgreSQL per event. */
export function recent(isQuick: boolean): Promise<RowResult> {
  const { events, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const way = (feed: Feed, batchEvents: number) => (isWarmUp: boolean) =>
      cpuPerEvent(postgres, feed, { events: isWarmUp ? events * WARM_UP_SHARE : events, batchEvents })
    const runs = await interleaved(
      {
        moderateWith: way(feedBatch, BATCH_EVENTS.moderate),
        moderateWithout: way(feedWithoutRecent, BATCH_EVENTS.moderate),
        fullWith: way(feedBatch, BATCH_EVENTS.full),
        fullWithout: way(feedWithoutRecent, BATCH_EVENTS.full),
      },
      rounds,
    )
    const claim = (load: keyof typeof BATCH_EVENTS) => {
      const [upper, lower] = [series(runs[`${load}With`], (cpu) => cpu), series(runs[`${load}Without`], (cpu) => cpu)]
      return {
        what: `feeding batches of ${formatted(BATCH_EVENTS[load])} with recent events ÷ without`,
        measured: ratioOf(upper, lower),
        target: { max: COST_MAX },
        detail: `${formatted(median(upper))} against ${formatted(median(lower))} µs of PostgreSQL's CPU per event`,
      }
    }
    return { claims: [claim('moderate'), claim('full')], measured: runs }
  })
}

/** Feeds recorded batches one after another, each with those that wait. @returns microseconds of CPU per event. */
async function cpuPerEvent(
  postgres: { url: string },
  feed: Feed,
  { events, batchEvents }: { events: number; batchEvents: number },
): Promise<number> {
  const { db, url, drop } = await createDatabase(postgres.url)
  const feeding = connect({ url, name: 'bench feed', connectionsMax: 1 })
  try {
    const batches: BatchRef[] = []
    for (const [index, rows] of chunksOf(dayOfTraffic(events).map(rowOf), batchEvents).entries()) {
      batches.push(await recordBatch(db, callOf(`call ${index}`, Buffer.from('')), rows, []))
    }
    await sql`vacuum analyze interaction, interaction_batch`.execute(db)
    await sql`checkpoint`.execute(db)
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(feeding)
    const before = await cpuSecondsOf([rows[0]!.pid])
    for (const batch of batches) await feed(feeding, batch)
    const seconds = cpuSecondsBetween(before, await cpuSecondsOf([rows[0]!.pid]))
    return (seconds * 1e6) / events
  } finally {
    await feeding.destroy()
    await drop()
  }
}
