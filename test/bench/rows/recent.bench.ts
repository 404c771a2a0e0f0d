import { sql } from 'kysely'
import { callOf } from '../../../src/store/log/call.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import type { BatchRef } from '../../../src/store/log/batch.ts'
import { feedBatch } from '../../../src/store/shoppers/shopper-profile.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { recordBatch } from '../../harness/items/events.ts'
import { feedWithoutRecent } from '../../harness/items/feed-without-recent.ts'
import { chunksOf, dayOfTraffic, rowOf } from '../items/events.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { interleaved, median, ratioOf } from '../measure/rounds.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'

const FULL = { events: 200_000, rounds: 5 }
const QUICK = { events: 10_000, rounds: 1 }
const WARM_UP_SHARE = 0.1
/** A flush of the gateway at a moderate load, and of a shop at its limit. */
const BATCH_EVENTS = { moderate: 30, full: 1_000 }
/** So many events has each shopper where shoppers are trimmed: more than the 100 that are kept. */
const SHOPPER_EVENTS = 200
const COST_MAX = 1.25

type Feed = (db: Database, batch: BatchRef) => Promise<unknown>

/** What feeding the recent events of shoppers adds to feeding the profiles alone: the processor's time of PostgreSQL per event. */
export function recent(isQuick: boolean): Promise<RowResult> {
  const { events, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const way = (feed: Feed, batchEvents: number, shopperEvents?: number) => (isWarmUp: boolean) =>
      cpuPerEvent(postgres, feed, { events: isWarmUp ? events * WARM_UP_SHARE : events, batchEvents, shopperEvents })
    const runs = await interleaved(
      {
        moderateWith: way(feedBatch, BATCH_EVENTS.moderate),
        moderateWithout: way(feedWithoutRecent, BATCH_EVENTS.moderate),
        fullWith: way(feedBatch, BATCH_EVENTS.full),
        fullWithout: way(feedWithoutRecent, BATCH_EVENTS.full),
        trimmedWith: way(feedBatch, BATCH_EVENTS.full, SHOPPER_EVENTS),
        trimmedWithout: way(feedWithoutRecent, BATCH_EVENTS.full, SHOPPER_EVENTS),
      },
      rounds,
    )
    const claim = (rounds: typeof runs, load: keyof typeof BATCH_EVENTS | 'trimmed', what: string): Claim => {
      const [upper, lower] = [rounds[`${load}With`], rounds[`${load}Without`]]
      return {
        what,
        measured: ratioOf(upper, lower),
        ...(load !== 'trimmed' && { target: { max: COST_MAX } }),
        detail: `${formatted(median(upper))} against ${formatted(median(lower))} µs of PostgreSQL's CPU per event`,
      }
    }
    const claims = claimsOfRounds(runs, (rounds) => [
      claim(rounds, 'moderate', `feeding batches of ${BATCH_EVENTS.moderate} with recent events ÷ without`),
      claim(rounds, 'full', `feeding batches of ${formatted(BATCH_EVENTS.full)} with recent events ÷ without`),
      claim(rounds, 'trimmed', `— of shoppers with ${SHOPPER_EVENTS} events each, which are trimmed`),
    ])
    return { claims, measured: runs }
  })
}

/** Feeds recorded batches one after another, each with those that wait. @returns microseconds of CPU per event. */
async function cpuPerEvent(
  postgres: { url: string },
  feed: Feed,
  { events, batchEvents, shopperEvents }: { events: number; batchEvents: number; shopperEvents: number | undefined },
): Promise<number> {
  const { db, url, drop } = await createDatabase(postgres.url)
  const feeding = connect({ url, name: 'bench feed', connectionsMax: 1 })
  try {
    const batches: BatchRef[] = []
    const traffic = dayOfTraffic(events).map(rowOf)
    const shoppers = shopperEvents === undefined ? undefined : Math.ceil(events / shopperEvents)
    // In turn, so that a batch has the events of many shoppers.
    const given = shoppers === undefined ? traffic : traffic.map((row, index) => ({ ...row, accountId: `u-${index % shoppers}` }))
    for (const [index, rows] of chunksOf(given, batchEvents).entries()) {
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
