import { tmpdir } from 'node:os'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import { loadSettings, machineOf } from '../../../src/main/embedded/postgres-settings.ts'
import { sql } from 'kysely'
import { callOf } from '../../../src/store/log/call.ts'
import { countBatch } from '../../../src/store/popularity/counting.ts'
import { feedBatch } from '../../../src/store/shoppers/shopper-profile.ts'
import { createDatabase, type TestDatabase } from '../../harness/servers/database.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { type BenchStack, withStack } from '../servers/bench-stack.ts'
import { claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { PRODUCTS, rowOf, traffic } from '../items/events.ts'
import { entrancesOf, ingestRun } from '../ingest/ingest-run.ts'
import { interleaved, ratioOf, series, median } from '../measure/rounds.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { recordBatch } from '../../harness/items/events.ts'

export interface GrowthSize {
  /** Events stored in either database. */
  large: number
  small: number
  /** Events sent in each round. */
  events: number
  rounds: number
  /** The least ratio of the rates. */
  min: number
}

export const FULL: GrowthSize = { large: 5_000_000, small: 100_000, events: 100_000, rounds: 5, min: 0.9 }
export const QUICK: GrowthSize = { ...FULL, large: 50_000, small: 10_000, events: 10_000, rounds: 1 }
const REQUEST_EVENTS = 1_000
const CONNECTIONS = 32
const SECONDS_MAX = 600
/** The stored events are spread over the days before yesterday at this rate. */
const EVENTS_PER_DAY = 1_000_000
/** The share of the stored events that is sent before the clock starts, so that most pages that change have been written since the checkpoint. */
const SENT_BEFORE = 1 / 20
/** The stored events differ from those of the run. Otherwise every shopper of the run would only return to products that are in its profile. */
const VISITS_BEFORE = 2
/** How many batches counting takes along in one statement. */
const GROUP_BATCHES = 16

/**
 * The cost of a large log: the same ingest into copies of a large and of a small database. PostgreSQL has the settings of `npm start`, because what fits
 * into its memory decides about the cost.
 */
export function afterGrowth(isQuick: boolean): Promise<RowResult> {
  return growthOf(isQuick ? QUICK : FULL)
}

export function growthOf(size: GrowthSize): Promise<RowResult> {
  const startPostgres = async () => startBenchPostgres(loadSettings(await machineOf(tmpdir())))
  return withStack((stack) => measure(stack, size), startPostgres)
}

async function measure(stack: BenchStack, size: GrowthSize): Promise<RowResult> {
  const small = await filledDatabase(stack, size.small)
  const large = await filledDatabase(stack, size.large)
  const way = (copyOf: TestDatabase) => () => {
    const requestsMax = size.events / REQUEST_EVENTS
    const job = { connections: CONNECTIONS, secondsMax: SECONDS_MAX, requestEvents: REQUEST_EVENTS, requestsMax }
    const requestsBefore = (SENT_BEFORE * size.large) / REQUEST_EVENTS
    return ingestRun(stack, { ...entrancesOf(stack).gateway, ...job }, { copyOf, requestsBefore })
  }
  const runs = await interleaved({ small: way(small), large: way(large) }, size.rounds)
  const claimOf = (rounds: typeof runs) => {
    const [small, large] = [series(rounds.small, (run) => run.perSecond), series(rounds.large, (run) => run.perSecond)]
    return {
      what: `ingest with ${formatted(size.large)} events stored ÷ with ${formatted(size.small)}`,
      measured: ratioOf(large, small),
      target: { min: size.min },
      detail: `${formatted(median(large))} events/s against ${formatted(median(small))}, through the gateway in requests of 1,000`,
    }
  }
  return { claims: claimsOfRounds(runs, (rounds) => [claimOf(rounds)]), measured: runs }
}

/** Fills a database with events that are counted and fed. It has no connections, so that it can be copied. */
async function filledDatabase({ postgres }: BenchStack, events: number): Promise<TestDatabase> {
  const database = await createDatabase(postgres.url)
  const { db } = database
  const next = traffic(1, PRODUCTS, VISITS_BEFORE)
  const stepMs = DAY_MS / EVENTS_PER_DAY
  const startMs = Date.now() - DAY_MS - events * stepMs
  for (let stored = 0; stored < events;) {
    const recorded = []
    for (let batch = 0; batch < GROUP_BATCHES && stored < events; batch++, stored += REQUEST_EVENTS) {
      const from = stored
      const items = Array.from({ length: REQUEST_EVENTS }, (_, index) => next(Math.floor(startMs + (from + index) * stepMs)))
      recorded.push(await recordBatch(db, callOf(`fill ${from}`, Buffer.from(String(from))), items.map(rowOf), []))
    }
    for (const batch of recorded) await Promise.all([countBatch(db, batch), feedBatch(db, batch)])
  }
  await withoutTimeout(db, (unlimited) => sql`vacuum (analyze)`.execute(unlimited))
  await db.destroy()
  return database
}
