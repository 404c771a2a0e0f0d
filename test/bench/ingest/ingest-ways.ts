import { Agent } from 'node:http'
import { join } from 'node:path'
import { sql } from 'kysely'
import { callOf } from '../../../src/store/log/call.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import { countBatch } from '../../../src/store/popularity/counting.ts'
import { feedBatch } from '../../../src/store/shoppers/shopper-profile.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import type { BenchPostgres } from '../servers/bench-postgres.ts'
import type { BenchEndpoint } from '../servers/bench-restate.ts'
import { countsOf, mustHaveCounted } from '../measure/row-counts.ts'
import { chunksOf, type Item, rowOf } from '../items/events.ts'
import { perRowDone, preparePerRow } from '../rivals/per-row-fan-out.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { inFlight, post } from '../client/in-flight.ts'
import { recordBatch, takeAll } from '../../harness/items/events.ts'

const REQUEST_EVENTS = 1_000

/** One way to ingest the same events into the same tables. */
export interface Way {
  name: string
  events: number
  /** Prepares the run before the clock starts; the returned function resolves when all events are counted and fed. */
  prepare: (run: Run) => Promise<() => Promise<void>>
  /** Disconnects from the run's database. */
  release?: () => Promise<void>
  /** Counts what this way stores; by default it must have counted and fed each event once. @throws when an event is missing. */
  check?: (db: Database, events: number) => Promise<void>
}

export interface Run {
  db: Database
  url: string
  /** Different for every run, because idempotency keys outlive a run's database. */
  name: string
  items: readonly Item[]
}

interface Ingress {
  url: string
  endpoint: BenchEndpoint
  /** Requests in flight. */
  width: number
}

/** Requests through the ingress to the handlers of Footfall. */
export function throughIngress(ingress: Ingress, events: number): Way {
  return {
    name: `Footfall, ${ingress.width} in flight`,
    events,
    release: () => ingress.endpoint.use(null),
    prepare: async (run) => {
      await ingress.endpoint.use(run.url)
      const send = requests(ingress, 'Analytic', run)
      return async () => {
        await send()
        await waitUntil(() => isSettled(run.db))
      }
    },
  }
}

/** The same requests with one send per row and target. */
export function perRowFanOut(ingress: Ingress, events: number): Way {
  return {
    name: 'one send per row and target',
    events,
    release: () => ingress.endpoint.use(null),
    prepare: async (run) => {
      await preparePerRow(run.db)
      await ingress.endpoint.use(run.url)
      const send = requests(ingress, 'PerRowAnalytic', run)
      return async () => {
        await send()
        await waitUntil(async () => (await perRowDone(run.db)) === run.items.length)
      }
    },
  }
}

/**
 * Runs the handlers' statements from this process, without Restate and without judging the items. As in the handlers, counting and
 * feeding do not delay the next record, and take waiting batches along.
 */
export function sameSql(connections: number, width: number, events: number): Way {
  return {
    name: `same SQL, ${connections} connections`,
    events,
    prepare: async ({ url, items }) => {
      const chunks = chunksOf(items.map(rowOf), REQUEST_EVENTS)
      const calls = chunks.map((_, index) => callOf(`call ${index}`, Buffer.from(String(index))))
      const db = connect({ url, name: 'bench sql', connectionsMax: connections })
      return async () => {
        const following: Promise<unknown>[] = []
        await inFlight(chunks, width, async (rows, index) => {
          const batch = await recordBatch(db, calls[index]!, rows, [])
          following.push(takeAll(countBatch, db, batch), takeAll(feedBatch, db, batch))
        })
        await Promise.all(following)
        await db.destroy()
      }
    },
  }
}

/**
 * What PostgreSQL can do at most: COPY of the rows of each batch from a file into the log with its keys, without aggregates. The server reads
 * the files itself, so nothing is sent.
 */
export function copyAlone(connections: number, events: number): Way {
  return {
    name: `COPY into the log alone, ${connections} connections`,
    events,
    prepare: async ({ url, items, db }) => {
      const folder = (await sql<{ data_directory: string }>`show data_directory`.execute(db)).rows[0]!.data_directory
      const files: string[] = []
      for (const [index, rows] of chunksOf(items.map(rowOf), REQUEST_EVENTS).entries()) {
        const { batchId } = await recordBatch(db, callOf(`call ${index}`, Buffer.from(String(index))), rows, [])
        files.push(join(folder, `copied-${index}`))
        await sql`copy (select * from interaction where batch_id = ${sql.lit(batchId)}) to ${sql.lit(files[index])}`.execute(db)
      }
      await sql`truncate interaction`.execute(db)
      const copying = connect({ url, name: 'bench copy', connectionsMax: connections })
      return async () => {
        await inFlight(
          files,
          connections,
          async (file) => void (await sql`copy interaction from ${sql.lit(file)}`.execute(copying)),
        )
        await copying.destroy()
      }
    },
    check: async (db, expected) => {
      const { recorded } = await countsOf(db)
      if (recorded !== expected) throw new Error(`${recorded} of ${expected} rows were copied`)
    },
  }
}

/** Runs a way on a fresh database after a checkpoint. @returns the seconds. @throws unless each event is stored once. */
export async function timed(postgres: BenchPostgres, way: Way, run: { name: string; items: readonly Item[] }): Promise<number> {
  const { db, url, drop } = await createDatabase(postgres.url)
  try {
    const work = await way.prepare({ ...run, db, url })
    await sql`checkpoint`.execute(db)
    const startMs = performance.now()
    await work()
    const seconds = (performance.now() - startMs) / 1_000
    await (way.check?.(db, run.items.length) ?? mustHaveCounted(db, run.items.length))
    return seconds
  } finally {
    await way.release?.()
    await drop()
  }
}

function requests(ingress: Ingress, service: string, run: Run): () => Promise<void> {
  const url = `${ingress.url}/${service}/CreateInteraction`
  const chunks = chunksOf(run.items, REQUEST_EVENTS)
  const bodies = chunks.map((interactions) => Buffer.from(JSON.stringify({ interactions })))
  return async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: ingress.width })
    await inFlight(bodies, ingress.width, async (body, index) => {
      const { accepted } = await post(agent, { url, body, idempotencyKey: `${run.name} ${index}` })
      if (accepted !== chunks[index]!.length) throw new Error(`${accepted} of ${chunks[index]!.length} accepted`)
    })
    agent.destroy()
  }
}
